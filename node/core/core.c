#include "node/core/core.h"
