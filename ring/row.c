#include "ring/row.h"
