#include "node/store/store.h"
