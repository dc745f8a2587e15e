#include "node/client/kv.h"
