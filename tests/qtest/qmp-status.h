/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU says of itself.
 */
#ifndef TESTS_QTEST_QMP_STATUS_H
#define TESTS_QTEST_QMP_STATUS_H

#include "libqtest.h"

/* Returns once "status" in the answer to @query is @status. */
void qmp_wait_status(QTestState *qts, const char *query, const char *status);

#endif
