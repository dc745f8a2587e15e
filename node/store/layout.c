#include "node/store/layout.h"
