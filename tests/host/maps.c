/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

bool maps_overlap(const Maps *maps, uint64_t iova, uint64_t last)
{
    for (unsigned i = 0; i < maps->count; i++) {
        if (maps->map[i].iova <= last && iova <= maps->map[i].last) {
            return true;
        }
    }
    return false;
}

int maps_add(Maps *maps, Map map)
{
    if (maps_overlap(maps, map.iova, map.last)) {
        return -EEXIST;
    }
    if (maps->count == maps->size) {
        maps->size = maps->size * 2 + 8;
        maps->map = realloc(maps->map, maps->size * sizeof(Map));
    }
    maps->map[maps->count++] = map;
    count(REF_MAP, 1);
    return 0;
}

const Map *maps_find(const Maps *maps, uint64_t iova)
{
    for (unsigned i = 0; i < maps->count; i++) {
        if (maps->map[i].iova <= iova && iova <= maps->map[i].last) {
            return &maps->map[i];
        }
    }
    return NULL;
}

int maps_remove(Maps *maps, uint64_t iova, uint64_t last, uint64_t *bytes)
{
    unsigned kept = 0;

    *bytes = 0;
    for (unsigned i = 0; i < maps->count; i++) {
        const Map *m = &maps->map[i];

        if (m->iova <= last && iova <= m->last &&
            (m->iova < iova || m->last > last)) {
            return -ENOENT;
        }
    }
    for (unsigned i = 0; i < maps->count; i++) {
        const Map *m = &maps->map[i];

        if (m->iova <= last && iova <= m->last) {
            *bytes += m->last - m->iova + 1;
        } else {
            maps->map[kept++] = *m;
        }
    }
    count(REF_MAP, (int)kept - (int)maps->count);
    maps->count = kept;
    unit_flush_second_stage(maps);
    return 0;
}

void maps_free(Maps *maps)
{
    uint64_t bytes;

    maps_remove(maps, 0, UINT64_MAX, &bytes);
    free(maps->map);
    *maps = (Maps){ 0 };
}
