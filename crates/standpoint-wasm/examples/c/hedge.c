/* A stage in C for the sandbox: marks the word "perhaps" in a layer of its own.
 *
 * zig cc --target=wasm32-freestanding -O2 -nostdlib -Wl,--no-entry -o hedge.wasm hedge.c
 */
#include "standpoint_wasm.h"

SP_MANIFEST("{\\\"name\\\":\\\"hedge-wasm\\\",\\\"version\\\":\\\"1.0.0\\\",\\\"reads\\\":[\\\"tokens\\\"],"
            "\\\"writes\\\":[\\\"hedges\\\"],\\\"settings\\\":{\\\"type\\\":\\\"object\\\",\\\"additionalProperties\\\":false}}");

static uintptr_t after_start;

SP_EXPORTED(sp_alloc) void *sp_alloc(uint32_t bytes) {
    if (after_start) sp_top = after_start; /* the document before this one is answered */
    return sp_take(bytes);
}

SP_EXPORTED(sp_start) uint64_t sp_start(const char *start, uint32_t length) {
    (void)start, (void)length;
    static const uint32_t done = 0;
    after_start = sp_top;
    return sp_answer(&done, sizeof done);
}

static int is_hedge(const char *word, uint32_t length) {
    static const char hedge[] = "perhaps";
    if (length != sizeof hedge - 1) return 0;
    for (uint32_t i = 0; i < length; i++)
        if ((word[i] | 0x20) != hedge[i]) return 0;
    return 1;
}

#define KEY(literal) literal, sizeof(literal) - 1

SP_EXPORTED(sp_process) uint64_t sp_process(const unsigned char *document, uint32_t length) {
    uint32_t header = *(const uint32_t *)document;
    const char *json = (const char *)document + 4;
    int64_t text_bytes = sp_number(json, header, KEY("\"text_bytes\":"));
    int64_t tokens = sp_number(json, header, KEY("{\"name\":\"tokens\",\"count\":"));
    if (text_bytes < 0) __builtin_trap();
    if (tokens < 0) tokens = 0;
    uint32_t at = (4 + header + 3) & ~3u;
    const char *text = (const char *)document + at;
    at = (at + (uint32_t)text_bytes + 3) & ~3u;
    if (at + 24 * (uint64_t)tokens > length) __builtin_trap();
    const sp_annotation *rows = (const sp_annotation *)(document + at);

    /* A status, the header's length, the header, and the column. */
    static const char prefix[] = "{\"layers\":[{\"name\":\"hedges\",\"count\":", suffix[] = "}]}";
    unsigned char *answer = sp_take(128 + 24 * (size_t)tokens);
    if (answer == NULL) __builtin_trap();
    sp_annotation *marks = (sp_annotation *)(answer + 80);
    uint32_t count = 0;
    for (uint32_t i = 0; i < tokens; i++)
        if (is_hedge(text + rows[i].start, rows[i].end - rows[i].start))
            marks[count++] = (sp_annotation){rows[i].start, rows[i].end, 0, 0, 0.0f, SP_NO_LINK};
    char *out = (char *)answer + 8;
    for (size_t i = 0; i < sizeof prefix - 1; i++) *out++ = prefix[i];
    char digits[10];
    int used = 0;
    uint32_t left = count;
    do digits[used++] = (char)('0' + left % 10);
    while (left /= 10);
    while (used) *out++ = digits[--used];
    for (size_t i = 0; i < sizeof suffix - 1; i++) *out++ = suffix[i];
    while (out < (char *)marks) *out++ = ' ';
    ((uint32_t *)answer)[0] = 0;
    ((uint32_t *)answer)[1] = 72; /* from the length to the column, which is a multiple of four */
    return sp_answer(answer, 80 + 24 * (size_t)count);
}
