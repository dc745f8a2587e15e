#include "ring/preference_list.h"
