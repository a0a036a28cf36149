/* A stage in plain C: marks the word "perhaps" in a layer of its own. */
#include <stdlib.h>
#include <string.h>

#include "standpoint.h"

SP_MANIFEST("{\"abi\":{\"major\":1,\"minor\":0},\"name\":\"hedge-c\",\"version\":\"1.0.0\","
            "\"reads\":[\"tokens\"],\"writes\":[\"hedges\"]}");

static const sp_host *host;

static int32_t create(const sp_host *table, sp_call *call, const sp_start *start, sp_instance **instance) {
    (void)call, (void)start, (void)instance; /* nothing to keep between calls */
    host = table;
    return SP_OK;
}

static int32_t destroy(sp_instance *instance) {
    (void)instance;
    return SP_OK;
}

static int32_t process(sp_instance *instance, sp_call *call, const sp_document *document,
                       const sp_context *context, const sp_waker *waker, sp_future **future) {
    (void)instance, (void)context, (void)waker, (void)future;
    if (document->layer_count == 0) return host->set_layer(call, &(sp_layer){.name = SP_STR("hedges")});
    const sp_layer *tokens = &document->layers[0];
    sp_annotation *hedges = malloc((tokens->annotation_count + 1) * sizeof *hedges);
    if (hedges == NULL) {
        host->set_error(call, SP_ERROR_TRANSIENT, SP_STR("out of memory"));
        return SP_ERROR;
    }
    size_t count = 0;
    for (size_t i = 0; i < tokens->annotation_count; i++) {
        sp_annotation token = tokens->annotations[i];
        if (token.end - token.start == 7 && memcmp(document->text.ptr + token.start, "perhaps", 7) == 0)
            hedges[count++] = (sp_annotation){.start = token.start, .end = token.end, .link = SP_NO_LINK};
    }
    sp_layer layer = {.name = SP_STR("hedges"), .annotations = hedges, .annotation_count = count};
    int32_t status = host->set_layer(call, &layer); /* copied, so that it can be freed */
    free(hedges);
    return status;
}

const sp_plugin standpoint_plugin_v1 = {
    .size = sizeof(sp_plugin), .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR,
    .manifest = SP_MANIFEST_TEXT, .create = create, .destroy = destroy, .process = process,
};
