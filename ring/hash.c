#include "ring/hash.h"
