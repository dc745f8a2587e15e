#include "ring/merkle.h"
