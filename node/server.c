#include "node/server.h"
