#include "ring/claim.h"
