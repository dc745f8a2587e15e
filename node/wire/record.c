#include "node/wire/record.h"
