#include "node/core/event.h"
