#include "node/store/executor.h"
