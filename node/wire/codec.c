#include "node/wire/codec.h"
