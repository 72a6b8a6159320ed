/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's write of a register sets in motion.
 */
#ifndef VTD_CTRL_H
#define VTD_CTRL_H

#include "vtd_unit.h"

/*
 * The guest wrote @value to the word at @offset; the register file holds the
 * new contents already.  Lock held; what has to follow without the lock is
 * noted in @work.
 */
void vtd_ctrl_written(VtdUnit *u, unsigned offset, uint32_t value,
                      VtdWork *work);

/*
 * The command in register @reg (CCMD or IOTLB) ended with @result: show its
 * completion.  The actual granularity reads 0 if it was refused.  Lock held.
 */
void vtd_ctrl_complete(VtdUnit *u, unsigned reg, VtdDelivery result);

#endif
