/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programming interface of the "sva-endpoint" PCIe device: a small DMA engine.
 *
 * Shared by the device model, its tests, bare-metal style guest programs and
 * Linux drivers, so it holds constants and structures only.  All registers
 * and all fields in memory are little-endian.  docs/endpoint.rst describes
 * the behaviour.
 *
 * Rules that let later versions add to this interface: software writes zero to
 * everything reserved, the device refuses a command with a reserved bit set,
 * reserved registers read as zero, and what exists is announced in OPS and by
 * the PCIe capabilities, so a driver never has to guess from VERSION.
 */
#ifndef HW_MISC_SVA_ENDPOINT_REGS_H
#define HW_MISC_SVA_ENDPOINT_REGS_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/* PCI identity; the class code is "processing accelerator". */
#define SVA_EP_PCI_VENDOR       0x1234
#define SVA_EP_PCI_DEVICE       0x5fa0
#define SVA_EP_PCI_CLASS        0x1200
#define SVA_EP_PCI_REVISION     0x01

/* BARs: registers and local buffer (64-bit), MSI-X table and PBA, the queues'
 * pages for users (64-bit). */
#define SVA_EP_BAR_REGS         0
#define SVA_EP_BAR_MSIX         2
#define SVA_EP_BAR_QUEUES       4

#define SVA_EP_QUEUE_COUNT      64

/* MSI-X vectors. */
#define SVA_EP_VECTOR_DONE      0       /* of the slot */
#define SVA_EP_VECTOR_QUEUE(n)  (1 + (n))
#define SVA_EP_VECTORS          (1 + SVA_EP_QUEUE_COUNT)

/*
 * BAR 0.  Registers are accessed with aligned reads and writes of 4 or 8
 * bytes; either half of a 64-bit register may be accessed alone.  The local
 * buffer takes any access.
 */
#define SVA_EP_BAR_SIZE         0x20000
#define SVA_EP_SLOT_BASE        0x1000  /* the immediate slot */
#define SVA_EP_QCTL_BASE        0x2000  /* the queues' control registers */
#define SVA_EP_REGS_END         0x3000  /* from here to the buffer: reserved */
#define SVA_EP_LOCAL_BASE       0x10000
#define SVA_EP_LOCAL_SIZE       0x10000

/* Page 0: the device as a whole.  Offsets in BAR 0. */
#define SVA_EP_ID               0x0000  /* 32 RO: SVA_EP_ID_MAGIC */
#define   SVA_EP_ID_MAGIC       0x45415653u /* "SVAE" */
#define SVA_EP_VERSION          0x0004  /* 32 RO: major << 16 | minor */
#define   SVA_EP_VERSION_1_0    0x00010000u
#define   SVA_EP_VERSION_1_1    0x00010001u /* queues, PASID, ATS, PRI */
#define SVA_EP_OPS              0x0008  /* 64 RO: bit n set = opcode n exists */
#define SVA_EP_LOCAL_BYTES      0x0010  /* 32 RO: size of the local buffer */
#define SVA_EP_LENGTH_MAX       0x0014  /* 32 RO: longest command, in bytes */
#define SVA_EP_FLAGS            0x0018  /* 32 RO: command flags that exist */
#define SVA_EP_QUEUES           0x001c  /* 32 RO: number of queues */
#define SVA_EP_CONTROL          0x0020  /* 32 WO, reads as zero */
#define   SVA_EP_CONTROL_RESET  (1u << 0)

/* Counters, 64 RO, cleared by every reset. */
#define SVA_EP_COUNT_DONE       0x0040  /* commands that ended in DONE */
#define SVA_EP_COUNT_FAILED     0x0048  /* commands that ended in ERROR */
#define SVA_EP_COUNT_IGNORED    0x0050  /* doorbells rung while BUSY */
#define SVA_EP_COUNT_READ       0x0058  /* bytes read from the bus */
#define SVA_EP_COUNT_WRITTEN    0x0060  /* bytes written to the bus */
#define SVA_EP_COUNT_ATS_REQUESTS   0x0068 /* translation requests sent */
#define SVA_EP_COUNT_ATS_HITS       0x0070 /* translations found in the cache */
#define SVA_EP_COUNT_INVALIDATIONS  0x0078 /* invalidation requests received */
#define SVA_EP_COUNT_PAGE_REQUESTS  0x0080
#define SVA_EP_COUNT_PAGE_RESPONSES 0x0088 /* received, unexpected ones too */
#define SVA_EP_COUNT_UNEXPECTED     0x0090 /* responses that match nothing */

/* For tests, 32 RW, cleared by every reset. */
#define SVA_EP_DEBUG            0x00a0
#define   SVA_EP_DEBUG_IGNORE_INVALIDATIONS (1u << 0) /* answer, drop nothing */
#define   SVA_EP_DEBUG_NO_ANSWER            (1u << 1) /* to invalidations */
#define   SVA_EP_DEBUG_HOLD_RESPONSES       (1u << 2) /* ignore responses */

/* Page 1: the immediate slot, one command written by MMIO. */
#define SVA_EP_SLOT_CMD         0x1000  /* 64 bytes RW: struct sva_ep_cmd */
#define SVA_EP_SLOT_DOORBELL    0x1040  /* 32 WO, reads as zero */
#define   SVA_EP_DOORBELL_START (1u << 0)
#define   SVA_EP_DOORBELL_STOP  (1u << 1) /* repeat no more */
#define SVA_EP_SLOT_STATUS      0x1044  /* 32 RO: SVA_EP_STATUS_* */
#define SVA_EP_SLOT_ERROR       0x1048  /* 32 RO: SVA_EP_ERR_* */
#define SVA_EP_SLOT_FAULT_ADDR  0x1050  /* 64 RO: valid for READ and WRITE */
#define SVA_EP_SLOT_RESULT      0x1058  /* 64 RO: valid in DONE */

#define SVA_EP_STATUS_IDLE      0
#define SVA_EP_STATUS_BUSY      1
#define SVA_EP_STATUS_DONE      2
#define SVA_EP_STATUS_ERROR     3

#define SVA_EP_ERR_NONE         0
#define SVA_EP_ERR_OPCODE       1       /* no such operation */
#define SVA_EP_ERR_FLAGS        2       /* unknown, or not for this operation */
#define SVA_EP_ERR_RESERVED     3       /* a field that must be zero is not */
#define SVA_EP_ERR_LENGTH       4       /* zero, or above LENGTH_MAX */
#define SVA_EP_ERR_RANGE        5       /* outside the buffer, or wraps */
#define SVA_EP_ERR_READ         6       /* the bus refused a read */
#define SVA_EP_ERR_WRITE        7       /* the bus refused a write */
#define SVA_EP_ERR_ALIGN        8       /* an address is not aligned */
#define SVA_EP_ERR_STOPPED      9       /* the queue was disabled */
#define SVA_EP_ERR_PAGE_TIMEOUT 10      /* no answer to a page request */
#define SVA_EP_ERR_PAGE_FAILURE 11      /* the answer was "response failure" */
#define SVA_EP_ERR_PAGE_INVALID 12      /* the answer was "invalid request" */

/*
 * The control registers of queue n: offset in BAR 0 of one of the registers
 * below.  They are the driver's; what a process may have is in BAR 4.
 */
#define SVA_EP_QCTL_STRIDE      0x40
#define SVA_EP_QUEUE_REG(n, reg) \
    (SVA_EP_QCTL_BASE + (n) * SVA_EP_QCTL_STRIDE + (reg))

/* 32 RW: while ENABLE is set only ENABLE changes. */
#define SVA_EP_QCTL             0x00
#define   SVA_EP_QCTL_ENABLE     (1u << 0)
#define   SVA_EP_QCTL_PASID      (1u << 1) /* requests carry QPASID */
#define   SVA_EP_QCTL_PRIVILEGED (1u << 2) /* needs PASID */
#define   SVA_EP_QCTL_EXECUTE    (1u << 3) /* reads ask for execute, too;
                                            * needs PASID */
#define   SVA_EP_QCTL_ATS        (1u << 4) /* translations of its own */
#define   SVA_EP_QCTL_PRI        (1u << 5) /* ask for missing pages; needs ATS */
#define SVA_EP_QPASID           0x04    /* 32 RW, 20 bits; fixed in ENABLE */
#define   SVA_EP_QPASID_MASK    0xfffffu
#define SVA_EP_QSTATE           0x08    /* 32 RO */
#define   SVA_EP_QSTATE_DISABLED  0
#define   SVA_EP_QSTATE_IDLE      1
#define   SVA_EP_QSTATE_RUNNING   2
#define   SVA_EP_QSTATE_PAGE_WAIT 3     /* for page responses */
#define   SVA_EP_QSTATE_STOPPING  4     /* ENABLE is clear, not over yet */
#define   SVA_EP_QSTATE_FAILED    5     /* clear ENABLE to recover */
#define SVA_EP_QERROR           0x0c    /* 32 RO: why FAILED, SVA_EP_ERR_* */
#define SVA_EP_QDONE            0x10    /* 64 RO: commands ended since ENABLE */
#define SVA_EP_QPAGES           0x18    /* 64 RO: page requests since ENABLE */
#define SVA_EP_QTIMEOUT         0x20    /* 32 RW: milliseconds a page response
                                         * may take; 0: the default */
#define   SVA_EP_QTIMEOUT_DEFAULT 10000u

/*
 * BAR 4, page n: the registers of queue n for its user.  Accesses as in page 0
 * of BAR 0.
 */
#define SVA_EP_UQ_STRIDE        0x1000
#define SVA_EP_QUEUES_BAR_SIZE  (SVA_EP_QUEUE_COUNT * SVA_EP_UQ_STRIDE)
#define SVA_EP_UQ_REG(n, reg)   ((n) * SVA_EP_UQ_STRIDE + (reg))

/* BASE and SIZE change only while HEAD equals TAIL and no command runs; a
 * write of either sets HEAD and TAIL to zero. */
#define SVA_EP_UQ_BASE          0x000   /* 64 RW: the ring, 64-byte aligned */
#define SVA_EP_UQ_SIZE          0x008   /* 32 RW: entries, a power of two */
#define   SVA_EP_UQ_SIZE_MAX    1024u
#define SVA_EP_UQ_HEAD          0x010   /* 32 RO: next entry to be taken */
#define SVA_EP_UQ_TAIL          0x014   /* 32 RW: next entry to be written */
#define SVA_EP_UQ_STATE         0x018   /* 32 RO: as QSTATE */
#define SVA_EP_UQ_ERROR         0x01c   /* 32 RO: as QERROR */

/* Operations. */
#define SVA_EP_OP_COPY          1       /* source -> destination */
#define SVA_EP_OP_FILL          2       /* operand, repeated -> destination */
#define SVA_EP_OP_CHECKSUM      3       /* result = FNV-1a of the source */
#define SVA_EP_OP_COMPARE       4       /* result = first difference */
#define SVA_EP_OP_SWAP          5       /* result = 8 bytes at dst, atomically
                                         * replaced by the operand */

/* Command flags. */
#define SVA_EP_FLAG_SRC_LOCAL   (1u << 0) /* src is a local buffer offset */
#define SVA_EP_FLAG_DST_LOCAL   (1u << 1) /* dst is a local buffer offset */
#define SVA_EP_FLAG_IRQ         (1u << 2) /* interrupt when the command ends */
#define SVA_EP_FLAG_BURST       (1u << 3) /* one access for all of a side;
                                           * in the slot only */
#define SVA_EP_FLAG_REPEAT      (1u << 4) /* again and again until STOP;
                                           * in the slot only */

/* Longest command. */
#define SVA_EP_LENGTH_LIMIT     0x100000u

/* Result of COMPARE when all bytes are equal. */
#define SVA_EP_COMPARE_EQUAL    0xffffffffffffffffull

/* CHECKSUM: 64-bit FNV-1a, hash = (hash ^ byte) * PRIME for each byte. */
#define SVA_EP_FNV_BASIS        0xcbf29ce484222325ull
#define SVA_EP_FNV_PRIME        0x00000100000001b3ull

/*
 * One command.  A field that the operation does not use must be zero:
 *
 *              src     dst     operand   flags
 *   COPY       used    used    zero      SRC_LOCAL DST_LOCAL
 *   FILL       zero    used    used      DST_LOCAL
 *   CHECKSUM   used    zero    zero      SRC_LOCAL
 *   COMPARE    used    used    zero      SRC_LOCAL DST_LOCAL
 *   SWAP       zero    used    used      none; length is 8, dst aligned to 8
 *
 * and all of them take IRQ, all but SWAP also BURST and REPEAT (not in a
 * queue).  Addresses are in the queue's address space, those of the slot in
 * that of requests without PASID.
 */
struct sva_ep_cmd {
    uint8_t opcode;
    uint8_t reserved0;
    uint16_t flags;
    uint32_t reserved1;
    uint64_t src;
    uint64_t dst;
    uint32_t length;
    uint32_t reserved2;
    uint64_t operand;
    uint64_t completion; /* 0, or where struct sva_ep_completion goes; must be
                          * zero in the slot */
    uint64_t reserved3[2];
};

/* What a command of a queue leaves, 32-byte aligned in the same address space;
 * STATUS is written last. */
struct sva_ep_completion {
    uint32_t status;     /* SVA_EP_STATUS_DONE or SVA_EP_STATUS_ERROR */
    uint32_t error;      /* SVA_EP_ERR_* */
    uint64_t fault_addr; /* where, if the error is about an access */
    uint64_t result;     /* valid in DONE */
    uint64_t reserved;
};
#define SVA_EP_COMPLETION_SIZE  0x20

/* Offsets of the fields, for programs that write them by MMIO. */
#define SVA_EP_CMD_OPCODE       0x00    /* 32: opcode | flags << 16 */
#define   SVA_EP_CMD_WORD0(opcode, flags) \
    ((uint32_t)(opcode) | (uint32_t)(flags) << 16)
#define SVA_EP_CMD_SRC          0x08
#define SVA_EP_CMD_DST          0x10
#define SVA_EP_CMD_LENGTH       0x18
#define SVA_EP_CMD_OPERAND      0x20
#define SVA_EP_CMD_COMPLETION   0x28
#define SVA_EP_CMD_SIZE         0x40

_Static_assert(sizeof(struct sva_ep_cmd) == SVA_EP_CMD_SIZE,
               "a command descriptor is 64 bytes");
_Static_assert(sizeof(struct sva_ep_completion) == SVA_EP_COMPLETION_SIZE,
               "a completion record is 32 bytes");

#endif /* HW_MISC_SVA_ENDPOINT_REGS_H */
