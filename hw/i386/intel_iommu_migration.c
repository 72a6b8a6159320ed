/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration.  The stream has the fields of QEMU's own intel-iommu (vmstate
 * "iommu-intel", version 1), so a machine can move between the two as long as
 * their capabilities are the same.  What QEMU's device does not have goes into
 * subsections.
 */
#include "qemu/osdep.h"

#include "intel_iommu_features.h"
#include "intel_iommu_space.h"
#include "migration/vmstate.h"
#include "qemu/error-report.h"
#include "vtd/vtd_state.h"

/* QEMU's own device has registers up to the first fault record. */
#define STREAM_BYTES (VTD_REG_FRCD + VTD_FAULT_RECORD_BYTES)
#define MORE_RECORDS_BYTES (VTD_STATE_BYTES - STREAM_BYTES)

/* What the stream holds.  All but the registers repeats what they tell; ours
 * is derived from them again, and theirs is checked against them. */
struct VtdStream {
    uint64_t root;
    uint64_t intr_root;
    uint64_t iq;
    uint32_t intr_size;
    uint16_t iq_head; /* in descriptors */
    uint16_t iq_tail;
    uint16_t iq_size;
    uint16_t next_frcd_reg;
    uint8_t csr[STREAM_BYTES];
    uint8_t more_records[MORE_RECORDS_BYTES];
    uint8_t iq_last_desc_type;
    bool dmar_enabled;
    bool qi_enabled;
    bool intr_enabled;
    bool intr_eime;
};

static unsigned descriptor_size(const VtdStream *stream)
{
    return ldq_le_p(&stream->csr[VTD_REG_IQA]) & VTD_IQA_DW ? 32 : 16;
}

/* The stream's form of the state exists while it is sent or received. */
static int stream_pre_load(void *opaque)
{
    IntelIOMMUState *s = opaque;

    g_free(s->stream);
    s->stream = g_new0(VtdStream, 1);
    return 0;
}

static int stream_pre_save(void *opaque)
{
    IntelIOMMUState *s = opaque;
    VtdStream *stream;
    uint64_t iqa;
    unsigned size;
    VtdState state;

    stream_pre_load(s);
    stream = s->stream;
    vtd_state_save(s->unit, &state);
    memcpy(stream->csr, state.registers, STREAM_BYTES);
    memcpy(stream->more_records, state.registers + STREAM_BYTES,
           MORE_RECORDS_BYTES);
    iqa = ldq_le_p(&stream->csr[VTD_REG_IQA]);
    size = descriptor_size(stream);

    stream->root = state.root & VTD_RTADDR_RTA;
    stream->intr_root = state.irta & VTD_IRTA_IRTA;
    stream->intr_size = 2u << vtd_get(state.irta, VTD_IRTA_S);
    stream->intr_eime = state.irta & VTD_IRTA_EIME;
    stream->iq = iqa & VTD_IQA_IQA;
    stream->iq_size = (VTD_PAGE_SIZE << vtd_get(iqa, VTD_IQA_QS)) / size;
    stream->iq_head = ldq_le_p(&stream->csr[VTD_REG_IQH]) / size;
    stream->iq_tail = ldq_le_p(&stream->csr[VTD_REG_IQT]) / size;
    stream->next_frcd_reg = state.next_record;
    stream->dmar_enabled = vtd_translation_enabled(s->unit);
    stream->qi_enabled = ldl_le_p(&stream->csr[VTD_REG_GSTS]) & VTD_GCMD_QIE;
    stream->intr_enabled =
        ldl_le_p(&stream->csr[VTD_REG_GSTS]) & VTD_GCMD_IRE;
    return 0;
}

/* What an incoming machine was frozen with stays: a guest cannot be told that
 * its unit has changed.  CAP and ECAP tell all of it. */
static void report_features(const IntelIOMMUState *s, const VtdStream *stream)
{
    g_autofree char *features =
        vtd_features_differing(s, ldq_le_p(&stream->csr[VTD_REG_CAP]),
                               ldq_le_p(&stream->csr[VTD_REG_ECAP]));

    if (*features) {
        error_report("intel-iommu: the incoming machine has other features: "
                     "%s", features);
    }
}

/* The latched table pointers are those of the registers, with the addresses
 * that the stream has of its own. */
static VtdState stream_state(const VtdStream *stream)
{
    uint64_t rtaddr = ldq_le_p(&stream->csr[VTD_REG_RTADDR]);
    uint64_t irta = ldq_le_p(&stream->csr[VTD_REG_IRTA]);
    VtdState state = {
        .root = (stream->root & VTD_RTADDR_RTA) | (rtaddr & VTD_RTADDR_TTM),
        .irta = (stream->intr_root & VTD_IRTA_IRTA) |
                (irta & VTD_IRTA_S) |
                (stream->intr_eime ? VTD_IRTA_EIME : 0),
        .next_record = stream->next_frcd_reg,
    };

    memcpy(state.registers, stream->csr, STREAM_BYTES);
    memcpy(state.registers + STREAM_BYTES, stream->more_records,
           MORE_RECORDS_BYTES);
    stq_le_p(&state.registers[VTD_REG_IQH],
             (uint64_t)stream->iq_head * descriptor_size(stream));
    return state;
}

static int stream_post_load(void *opaque, int version_id)
{
    IntelIOMMUState *s = opaque;
    VtdState state = stream_state(s->stream);
    const char *problem = vtd_state_load(s->unit, &state);

    if (problem) {
        report_features(s, s->stream);
        error_report("intel-iommu: the incoming state cannot be taken: %s",
                     problem);
        return -EINVAL;
    }
    vtd_spaces_changed(s);
    return 0;
}

static const VMStateDescription stream_vmstate = {
    .name = "iommu-intel-stream",
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(root, VtdStream),
        VMSTATE_UINT64(intr_root, VtdStream),
        VMSTATE_UINT64(iq, VtdStream),
        VMSTATE_UINT32(intr_size, VtdStream),
        VMSTATE_UINT16(iq_head, VtdStream),
        VMSTATE_UINT16(iq_tail, VtdStream),
        VMSTATE_UINT16(iq_size, VtdStream),
        VMSTATE_UINT16(next_frcd_reg, VtdStream),
        VMSTATE_UINT8_ARRAY(csr, VtdStream, STREAM_BYTES),
        VMSTATE_UINT8(iq_last_desc_type, VtdStream),
        VMSTATE_UNUSED(1),
        VMSTATE_BOOL(dmar_enabled, VtdStream),
        VMSTATE_BOOL(qi_enabled, VtdStream),
        VMSTATE_BOOL(intr_enabled, VtdStream),
        VMSTATE_BOOL(intr_eime, VtdStream),
        VMSTATE_END_OF_LIST()
    }
};

static bool has_more_records(void *opaque)
{
    IntelIOMMUState *s = opaque;

    return vtd_caps_fault_records(&s->unit->caps) > 1;
}

static const VMStateDescription more_records_vmstate = {
    .name = "iommu-intel-more-records",
    .fields = (const VMStateField[]) {
        VMSTATE_UINT8_ARRAY(more_records, VtdStream, MORE_RECORDS_BYTES),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription fault_records_vmstate = {
    .name = "iommu-intel/fault-records",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = has_more_records,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(stream, IntelIOMMUState, more_records_vmstate,
                               VtdStream),
        VMSTATE_END_OF_LIST()
    }
};

/* Before the devices whose DMA it translates. */
const VMStateDescription vtd_vmstate = {
    .name = "iommu-intel",
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_IOMMU,
    .pre_load = stream_pre_load,
    .pre_save = stream_pre_save,
    .post_load = stream_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(stream, IntelIOMMUState, stream_vmstate,
                               VtdStream),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription *const[]) {
        &fault_records_vmstate,
        NULL
    }
};
