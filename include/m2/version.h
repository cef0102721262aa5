// The version of these headers; m2_version() is the library's that a program runs with.
#pragma once

#define M2_VERSION_MAJOR 0
#define M2_VERSION_MINOR 1
#define M2_VERSION_PATCH 0
#define M2_VERSION "0.1.0"
