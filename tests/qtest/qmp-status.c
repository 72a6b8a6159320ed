/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "qmp-status.h"
#include "qobject/qdict.h"

static bool status_is(QTestState *qts, const char *query, const char *status)
{
    g_autoptr(QDict) reply =
        qtest_qmp_assert_success_ref(qts, "{ 'execute': %s }", query);

    return g_strcmp0(qdict_get_try_str(reply, "status"), status) == 0;
}

void qmp_wait_status(QTestState *qts, const char *query, const char *status)
{
    gint64 deadline = g_get_monotonic_time() + 120 * G_USEC_PER_SEC;

    while (!status_is(qts, query, status)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
}
