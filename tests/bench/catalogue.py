# SPDX-License-Identifier: GPL-2.0-or-later
"""All rows."""
from rows import translation_rows
from rows_host import host_rows
from rows_linux import linux_rows
from rows_pasids import pasid_rows
from rows_queue import queue_rows
from rows_shadow import shadow_rows
from rows_threads import thread_rows


def all_rows():
    return [*translation_rows(), *queue_rows(), *pasid_rows(),
            *shadow_rows(), *thread_rows(), *host_rows(), *linux_rows()]
