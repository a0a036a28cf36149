/* A plugin that misbehaves: when compiled, by macros; when run, by the first byte of the text. */
#include "standpoint.h"

/* Some builds leave functions out of the table. */
#pragma GCC diagnostic ignored "-Wunused-function"

int foo(void);
int bar(void);

#ifndef MAJOR
#define MAJOR "1"
#endif
#ifndef REQUIRED
#define REQUIRED "0"
#endif
#ifndef MORE
#define MORE ""
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(sp_plugin)
#endif
#ifndef TABLE_MAJOR
#define TABLE_MAJOR SP_ABI_MAJOR
#endif
#ifndef TABLE_REQUIRED
#define TABLE_REQUIRED 0
#endif
#ifndef PROCESS
#define PROCESS process
#endif
#ifndef DROP
#define DROP drop_future
#endif
#ifndef JSON
#define JSON                                                                                       \
    "{\"abi\":{\"major\":" MAJOR ",\"minor\":0,\"host_minor_required\":" REQUIRED "},"             \
    "\"name\":\"bad\",\"version\":\"0.4.1\",\"reads\":[],"                                         \
    "\"writes\":[\"tokens\",\"a\",\"entities\",\"sentiment\",\"stance\",\"language\"]" MORE "}"
#endif

#ifndef NO_MANIFEST
SP_MANIFEST(JSON);
#endif

#ifdef USES_LIBC
#include <stdlib.h>
int uses_libc(void);
int uses_libc(void) { return rand(); }
#endif

static const sp_host *host;

static int32_t create(const sp_host *table, sp_call *call, const sp_start *start, sp_instance **instance) {
    (void)call, (void)start, (void)instance;
    host = table;
    return SP_OK;
}

static int32_t destroy(sp_instance *instance) {
    (void)instance;
    return SP_OK;
}

static int32_t spans(sp_call *call, sp_str name, const sp_annotation *list, size_t count) {
    sp_layer layer = {.name = name, .annotations = list, .annotation_count = count};
    return host->set_layer(call, &layer);
}

static int32_t process(sp_instance *instance, sp_call *call, const sp_document *document,
                       const sp_context *context, const sp_waker *waker, sp_future **future) {
    (void)instance, (void)context, (void)waker, (void)future;
    sp_str label = SP_STR("only");
    sp_annotation cut = {.start = 0, .end = 1}, far = {.start = 1, .end = 99};
    sp_annotation back = {.start = 2, .end = 1}, high = {.end = 1, .label = 1};
    sp_annotation order[] = {{.start = 2, .end = 3}, {.start = 1, .end = 2}};
    sp_annotation nan = {.end = 1, .score = 0.0f / 0.0f}, ok = {.end = 1, .link = 7};
    float row[1] = {1};
    sp_entity who = {.id = SP_STR("x"), .name = SP_STR("X"), .kind = 2};
    sp_sentiment loud = {.score = 2};
    sp_sentiments mood = {.size = sizeof(mood), .document = {.score = 0.5f, .confidence = 1}};
    sp_layer layer = {.name = SP_STR("a"), .annotations = &ok, .annotation_count = 1};
    switch (document->text.len ? document->text.ptr[document->text.len - 1] : 0) {
    case 'a': spans(call, SP_STR("a"), &cut, 1); return SP_OK; /* as if nothing had happened */
    case 'b': return spans(call, SP_STR("a"), &far, 1);
    case 'c': return spans(call, SP_STR("a"), &back, 1);
    case 'd': return spans(call, SP_STR("a"), order, 2);
    case 'e': return spans(call, SP_STR("a"), &nan, 1);
    case 'f': return spans(call, SP_STR("nobody's"), &ok, 1);
    case 'g': return spans(call, SP_STR("a"), NULL, 3);
    case 'h': return spans(call, SP_STR("a"), &ok, SIZE_MAX / 8);
    case 'i': return spans(call, SP_STR("a"), (const sp_annotation *)((const char *)order + 1), 1);
    case 'j':
        layer.annotations = &high, layer.labels = &label, layer.label_count = 1;
        return host->set_layer(call, &layer);
    case 'k':
        layer.vector_width = 1;
        return host->set_layer(call, &layer);
    case 'l':
        spans(call, SP_STR("entities"), &ok, 1);
        return host->set_record(call, SP_STR("entities"), SP_STR("[]"));
    case 'm': return host->set_record(call, SP_STR("a"), SP_STR("{}"));
    case 'n': return host->set_record(call, SP_STR("stance"), SP_STR("{not json"));
    case 'o':
        return host->set_record(call, SP_STR("sentiment"),
                                SP_STR("{\"document\":null,\"sentences\":[null],\"mentions\":[]}"));
    case 'p': return host->set_attribute(call, SP_STR("a"), (sp_str){"\"\xff\"", 3});
    case 'q': return SP_ERROR;
    case 'r': return SP_PENDING;
    case 's': return 42;
    case 't': host->set_error(call, 77, SP_STR("kind unknown")); return SP_ERROR;
    case 'u': return host->set_layer(call, NULL);
    case 'v':
        layer.vectors = row, layer.vector_width = UINT32_MAX, layer.annotation_count = SIZE_MAX / 16;
        return host->set_layer(call, &layer);
    case 'w': return SP_PANIC;
    case 'A': who.kind = 99; return host->set_entities(call, &who, 1);
    case 'B': who.name = (sp_str){"\xff", 1}; return host->set_entities(call, &who, 1);
    case 'C': return host->set_entities(call, NULL, 1);
    case 'D': spans(call, SP_STR("entities"), &ok, 1); return host->set_entities(call, &who, 1);
    case 'E': mood.sentences = &loud, mood.sentence_count = 1; return host->set_sentiment(call, &mood);
    case 'F': mood.mentions = &mood.document, mood.mention_count = 1; return host->set_sentiment(call, &mood);
    case 'G': mood.size = 8; return host->set_sentiment(call, &mood);
    case 'H': return host->set_sentiment(call, NULL);
    case 'I':
        who.aliases = SP_STR("\nXi\n\nXy");
        host->set_entities(call, &who, 1);
        return host->set_sentiment(call, &mood);
    case 'x':
        host->log(host, 99, (sp_str){NULL, 5}, (sp_str){"\xff", 1}, SP_STR("{"));
        return host->set_attribute(call, SP_STR("a"), SP_STR("[1]"));
    default: return spans(call, SP_STR("a"), NULL, 0);
    }
}

static int32_t poll(sp_future *future, const sp_waker *waker) {
    (void)future, (void)waker;
    return SP_OK;
}

static int32_t drop_future(sp_future *future) {
    (void)future;
    return SP_OK;
}

#ifdef NO_TABLE
int foo(void) { return 1; }
int bar(void) { return 2; }
#else
const sp_plugin standpoint_plugin_v1 = {
    .size = TABLE_SIZE, .abi_major = TABLE_MAJOR, .abi_minor = SP_ABI_MINOR,
    .host_minor_required = TABLE_REQUIRED,
#ifdef NO_MANIFEST
    .manifest = {0},
#elif defined(OTHER_MANIFEST)
    .manifest = {OTHER_MANIFEST, sizeof(OTHER_MANIFEST) - 1},
#else
    .manifest = SP_MANIFEST_TEXT,
#endif
    .create = create, .destroy = destroy, .process = PROCESS, .poll = poll, .drop_future = DROP,
};
#endif
