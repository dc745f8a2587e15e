#include "node/wire/message.h"
