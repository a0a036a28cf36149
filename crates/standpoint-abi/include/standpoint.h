/* The plugin ABI of Standpoint, version 1, for C and whatever can speak it.
 *
 * A plugin is a shared library that exports one constant, `standpoint_plugin_v1`, a table of
 * functions, and holds a manifest in a section of its own, which the host reads before it loads
 * any code. `examples/c/hedge.c` is a whole one.
 *
 * Texts are UTF-8, given by pointer and length, not terminated. Offsets are bytes of the text,
 * on character boundaries.
 *
 * Who owns what: nobody frees what the other side allocated. What the host lends to a function
 * stays until the function returns; call, document and context stay until the call is over, that
 * is until process, process_batch or poll return anything but SP_PENDING, or drop_future returns.
 * The host copies what a plugin passes to it before its function returns. An instance and a
 * future belong to the plugin and are ended only by its own functions.
 *
 * Threads: an instance may be used by several threads at once, unless the manifest says
 * "concurrency": 1. One call, and one future, is used by one thread at a time, not always the
 * same one. `log` and the waker functions may be called from any thread at any time.
 *
 * What may change: tables grow at their end, and `abi_minor` with them. A field exists where
 * `size` covers it. The structs that lie in arrays (sp_str, sp_annotation, sp_layer, sp_json,
 * sp_entity, sp_sentiment) never change. Anything else would be ABI 2, with another symbol. Set
 * `reserved` to 0, and `flags` to 0 or the flags of this header. What is marked "since 1.1" is
 * not there in older hosts.
 *
 * Writes are checked when they are made and applied when the call returns SP_OK: all or none. A
 * refused write fails the call, whatever it returns; the host then says why. */
#ifndef STANDPOINT_H
#define STANDPOINT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_ABI_MAJOR 1u
#define SP_ABI_MINOR 1u

/* What functions return. */
#define SP_OK 0
#define SP_PENDING 1 /* not done: poll the future once its waker is woken */
#define SP_ERROR (-1) /* failed; `set_error` says why */
#define SP_PANIC (-2) /* failed, and the instance must not be used again */

/* What follows from an error: the `kind` of `set_error`. */
#define SP_ERROR_DOCUMENT 1u  /* the document is at fault; trying again gives the same */
#define SP_ERROR_TRANSIENT 2u /* trying again may help */
#define SP_ERROR_STAGE 3u     /* the stage is at fault */
#define SP_ERROR_CANCELLED 4u /* the result was no longer wanted */

/* Levels of `log`. */
#define SP_LEVEL_ERROR 1u
#define SP_LEVEL_WARN 2u
#define SP_LEVEL_INFO 3u
#define SP_LEVEL_DEBUG 4u
#define SP_LEVEL_TRACE 5u

/* The `link` of an annotation that points nowhere. */
#define SP_NO_LINK UINT32_MAX

/* A text. Where it may be absent, `ptr` is then null. */
typedef struct sp_str {
    const char *ptr;
    size_t len;
} sp_str;

/* An annotated span. The layer defines what label, flags, score and link mean. */
typedef struct sp_annotation {
    uint32_t start; /* offset of the first byte */
    uint32_t end;   /* offset behind the last byte */
    uint32_t label; /* index into the layer's labels, where it has any */
    uint32_t flags;
    float score; /* finite */
    uint32_t link;
} sp_annotation;

/* Annotations in the order of their starts. */
typedef struct sp_layer {
    sp_str name;
    const sp_annotation *annotations;
    size_t annotation_count;
    const sp_str *labels;
    size_t label_count;
    const float *vectors; /* annotation_count rows of vector_width numbers, or null */
    uint32_t vector_width;
    uint32_t reserved;
} sp_layer;

/* A record or an attribute. */
typedef struct sp_json {
    sp_str name;
    sp_str json;
} sp_json;

/* An entity; since 1.1. */
typedef struct sp_entity {
    sp_str id;
    sp_str name;
    sp_str country; /* absent, or ISO 3166-1 alpha-3 */
    sp_str aliases; /* with a line feed between each two */
    uint32_t kind;  /* the label of its mentions */
    uint32_t flags; /* SP_SPEAKS_FOR_COUNTRY or 0 */
} sp_entity;

#define SP_SPEAKS_FOR_COUNTRY 1u

/* How something sounds; since 1.1. */
typedef struct sp_sentiment {
    float score;      /* from -1 to 1; NaN where nothing is said */
    float confidence; /* from 0 to 1 */
} sp_sentiment;

/* The record `sentiment`; since 1.1. */
typedef struct sp_sentiments {
    uint32_t size;
    uint32_t reserved;
    sp_sentiment document;
    const sp_sentiment *sentences; /* one for each sentence */
    size_t sentence_count;
    const sp_sentiment *mentions; /* one for each mention of an entity */
    size_t mention_count;
} sp_sentiments;

/* A document, as far as the manifest's "reads" names it. */
typedef struct sp_document {
    uint32_t size;
    uint32_t reserved;
    sp_str id;
    sp_str text;
    sp_str title; /* from here to source_id absent where unknown */
    sp_str author;
    sp_str published; /* ISO 8601 */
    sp_str language;  /* ISO 639-1 */
    sp_str source_name;
    sp_str source_path;
    sp_str source_id;
    const sp_layer *layers;
    size_t layer_count;
    const sp_json *records; /* entities, sentiment, stance */
    size_t record_count;
    const sp_json *attributes;
    size_t attribute_count;
    /* Since 1.1: the entities, in place of their JSON in `records`, for a plugin with the flag
     * SP_READS_TABLES. */
    const sp_entity *entities;
    size_t entity_count;
} sp_document;

/* What a stage is told about a call. */
typedef struct sp_context {
    uint32_t size;
    uint32_t attempt;         /* at this document, from 1 */
    sp_str stage;             /* the stage's id in the pipeline */
    const uint8_t *cancelled; /* turns from 0 to 1, at any time, when the result is unwanted */
} sp_context;

/* What a stage is told when it is made. */
typedef struct sp_start {
    uint32_t size;
    uint32_t reserved;
    sp_str stage;
    sp_str pipeline_dir; /* in the bytes of the file system */
    sp_str settings;     /* a JSON object */
} sp_start;

typedef struct sp_call sp_call;         /* the host's side of a call */
typedef struct sp_waker sp_waker;       /* the host's waker of a task */
typedef struct sp_instance sp_instance; /* the plugin's stage */
typedef struct sp_future sp_future;     /* the plugin's side of a call that waits */

/* What the host offers. It stays for ever. */
typedef struct sp_host {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t max_level; /* the most verbose level that anybody hears; 0 for none; it changes */
    /* `fields` is a JSON object or absent. */
    void (*log)(const struct sp_host *host, uint32_t level, sp_str target, sp_str message,
                sp_str fields);
    /* These return SP_OK or SP_ERROR. Names must be in the manifest's "writes". */
    int32_t (*set_layer)(sp_call *call, const sp_layer *layer);
    int32_t (*set_record)(sp_call *call, sp_str name, sp_str json);
    int32_t (*set_attribute)(sp_call *call, sp_str name, sp_str json);
    int32_t (*set_language)(sp_call *call, sp_str code);
    int32_t (*add_note)(sp_call *call, sp_str note);
    void (*set_error)(sp_call *call, uint32_t kind, sp_str message);
    /* A waker is lent for one function. To keep it, clone it, and drop the clone once. */
    const sp_waker *(*waker_clone)(const sp_waker *waker);
    void (*waker_wake)(const sp_waker *waker);
    void (*waker_drop)(const sp_waker *waker);
    /* Since 1.1: the records `entities` and `sentiment` without JSON. */
    int32_t (*set_entities)(sp_call *call, const sp_entity *entities, size_t count);
    int32_t (*set_sentiment)(sp_call *call, const sp_sentiments *record);
} sp_host;

/* A flag of sp_plugin: it reads the entities of sp_document, and needs no JSON of them from a
 * host that has them there. */
#define SP_READS_TABLES 1u

/* What a plugin exports. */
typedef struct sp_plugin {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t host_minor_required; /* the same as in the manifest */
    uint32_t flags;
    uint32_t reserved;
    sp_str manifest; /* the same as in the section */
    int32_t (*create)(const sp_host *host, sp_call *call, const sp_start *start,
                      sp_instance **instance);
    int32_t (*destroy)(sp_instance *instance);
    int32_t (*process)(sp_instance *instance, sp_call *call, const sp_document *document,
                       const sp_context *context, const sp_waker *waker, sp_future **future);
    /* Null where the stage takes one document at a time. SP_OK means that `results` holds a
     * status for each. */
    int32_t (*process_batch)(sp_instance *instance, size_t count, sp_call *const *calls,
                             const sp_document *const *documents, const sp_context *context,
                             int32_t *results, const sp_waker *waker, sp_future **future);
    /* Both null where no call ever returns SP_PENDING. The host drops each future once, whether
     * it was done or not. */
    int32_t (*poll)(sp_future *future, const sp_waker *waker);
    int32_t (*drop_future)(sp_future *future);
} sp_plugin;

#if defined(__GNUC__)
#define SP_EXPORT __attribute__((visibility("default")))
#else
#define SP_EXPORT
#endif

#if defined(__APPLE__)
#define SP_SECTION __attribute__((section("__DATA,__standpoint"), used))
#else
#define SP_SECTION __attribute__((section(".standpoint"), used))
#endif

/* Places the manifest, a string literal, in its section, and names it for SP_MANIFEST_TEXT. */
#define SP_MANIFEST(json_literal)                                                                  \
    SP_SECTION static const struct {                                                               \
        char magic[8];                                                                             \
        uint32_t framing, length;                                                                  \
        char json[sizeof(json_literal)];                                                           \
    } sp_manifest = {{'S', 'T', 'A', 'N', 'D', 'P', 'T', 1},                                       \
                     1,                                                                            \
                     sizeof(json_literal) - 1,                                                     \
                     json_literal}

/* The manifest's text, for the table. */
#define SP_MANIFEST_TEXT {sp_manifest.json, sizeof(sp_manifest.json) - 1}

/* A string literal as a text. */
#define SP_STR(literal) ((sp_str){(literal), sizeof(literal) - 1})

extern SP_EXPORT const sp_plugin standpoint_plugin_v1;

#ifdef __cplusplus
}
#endif

#endif
