#include "ring/key.h"
