#include "node/store/apply_internal.h"
