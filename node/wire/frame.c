#include "node/wire/frame.h"
