#include "ring/view.h"
