#include "node/store/apply.h"
