#include "ring/object.h"
