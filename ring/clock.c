#include "ring/clock.h"
