/* What a stage in C needs to run as a WebAssembly module: no library, no system. */
#ifndef STANDPOINT_WASM_H
#define STANDPOINT_WASM_H

#include <stddef.h>
#include <stdint.h>

#define SP_EXPORTED(name) __attribute__((export_name(#name), used))

typedef struct {
    uint32_t start, end, label, flags;
    float score;
    uint32_t link;
} sp_annotation;

#define SP_NO_LINK 0xffffffffu

/* Puts the manifest, a string literal of JSON, into the section that hosts read. */
#define SP_MANIFEST(json)                                                                          \
    __asm__(".section .custom_section.standpoint,\"\",@\n\t.ascii \"" json "\"\n\t.text\n")

/* Memory that is given out in order and taken back all at once, before the next document. */
extern unsigned char __heap_base;
static uintptr_t sp_top;

static void *sp_take(size_t bytes) {
    if (sp_top == 0) sp_top = ((uintptr_t)&__heap_base + 7) & ~(uintptr_t)7;
    uintptr_t at = sp_top, end = (at + bytes + 7) & ~(uintptr_t)7;
    size_t pages = __builtin_wasm_memory_size(0), needed = (end + 65535) / 65536;
    if (needed > pages && __builtin_wasm_memory_grow(0, needed - pages) == (size_t)-1) return NULL;
    sp_top = end;
    return (void *)at;
}

/* The answer of `sp_start` and `sp_process`. */
static inline uint64_t sp_answer(const void *at, size_t length) {
    return ((uint64_t)(uintptr_t)at << 32) | (uint32_t)length;
}

/* The number after `key` in the JSON `text`, or -1. */
static int64_t sp_number(const char *text, size_t length, const char *key, size_t key_length) {
    for (size_t i = 0; i + key_length <= length; i++) {
        size_t same = 0;
        while (same < key_length && text[i + same] == key[same]) same++;
        if (same < key_length) continue;
        int64_t number = 0;
        size_t at = i + key_length, digits = 0;
        for (; at < length && text[at] >= '0' && text[at] <= '9'; at++, digits++) number = number * 10 + text[at] - '0';
        return digits ? number : -1;
    }
    return -1;
}

#endif
