#include "ring/status.h"
