#include "ring/bytes.h"
