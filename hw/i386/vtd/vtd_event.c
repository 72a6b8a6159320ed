/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_event.h"

/* From an event's control register to the rest of its block. */
enum { DATA = 4,
       ADDR = 8,
       UADDR = 12 };

static void send(VtdUnit *u, VtdEvent event, VtdWork *work)
{
    work->msi[work->msis++] = (VtdMsi){
        .addr = vtd_reg32(&u->regs, event + ADDR) |
                (uint64_t)vtd_reg32(&u->regs, event + UADDR) << 32,
        .data = vtd_reg32(&u->regs, event + DATA),
    };
}

void vtd_event_raise(VtdUnit *u, VtdEvent event, VtdWork *work)
{
    uint32_t control = vtd_reg32(&u->regs, event);

    if (control & VTD_EVENT_IM) {
        vtd_reg32_set(&u->regs, event, control | VTD_EVENT_IP);
    } else {
        send(u, event, work);
    }
}

void vtd_event_withdraw(VtdUnit *u, VtdEvent event)
{
    vtd_reg32_change(&u->regs, event, VTD_EVENT_IP, 0);
}

void vtd_event_control_written(VtdUnit *u, VtdEvent event, VtdWork *work)
{
    uint32_t control = vtd_reg32(&u->regs, event);

    if ((control & VTD_EVENT_IP) && !(control & VTD_EVENT_IM)) {
        vtd_event_withdraw(u, event);
        send(u, event, work);
    }
}
