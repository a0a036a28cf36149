/* Prints sizes and offsets as this compiler sees them; the test compares them with Rust's. */
#include <stdio.h>

#include "standpoint.h"

#define SIZE(type) printf(#type " %zu\n", sizeof(type))
#define FIELD(type, field) printf(#type "." #field " %zu\n", offsetof(type, field))

int main(void) {
    SIZE(sp_str); FIELD(sp_str, len);
    SIZE(sp_annotation); FIELD(sp_annotation, end); FIELD(sp_annotation, label);
    FIELD(sp_annotation, flags); FIELD(sp_annotation, score); FIELD(sp_annotation, link);
    SIZE(sp_layer); FIELD(sp_layer, annotations); FIELD(sp_layer, annotation_count);
    FIELD(sp_layer, labels); FIELD(sp_layer, label_count); FIELD(sp_layer, vectors);
    FIELD(sp_layer, vector_width);
    SIZE(sp_json); FIELD(sp_json, json);
    SIZE(sp_entity); FIELD(sp_entity, name); FIELD(sp_entity, country);
    FIELD(sp_entity, aliases); FIELD(sp_entity, kind); FIELD(sp_entity, flags);
    SIZE(sp_sentiment); FIELD(sp_sentiment, confidence);
    SIZE(sp_sentiments); FIELD(sp_sentiments, document); FIELD(sp_sentiments, sentences);
    FIELD(sp_sentiments, sentence_count); FIELD(sp_sentiments, mentions);
    FIELD(sp_sentiments, mention_count);
    SIZE(sp_document); FIELD(sp_document, entities); FIELD(sp_document, entity_count);
    FIELD(sp_document, id); FIELD(sp_document, text);
    FIELD(sp_document, title); FIELD(sp_document, author); FIELD(sp_document, published);
    FIELD(sp_document, language); FIELD(sp_document, source_name);
    FIELD(sp_document, source_path); FIELD(sp_document, source_id); FIELD(sp_document, layers);
    FIELD(sp_document, layer_count); FIELD(sp_document, records);
    FIELD(sp_document, record_count); FIELD(sp_document, attributes);
    FIELD(sp_document, attribute_count);
    SIZE(sp_context); FIELD(sp_context, attempt); FIELD(sp_context, stage);
    FIELD(sp_context, cancelled);
    SIZE(sp_start); FIELD(sp_start, stage); FIELD(sp_start, pipeline_dir);
    FIELD(sp_start, settings);
    SIZE(sp_host); FIELD(sp_host, set_entities); FIELD(sp_host, set_sentiment);
    FIELD(sp_host, abi_major); FIELD(sp_host, abi_minor);
    FIELD(sp_host, max_level); FIELD(sp_host, log); FIELD(sp_host, set_layer);
    FIELD(sp_host, set_record); FIELD(sp_host, set_attribute); FIELD(sp_host, set_language);
    FIELD(sp_host, add_note); FIELD(sp_host, set_error); FIELD(sp_host, waker_clone);
    FIELD(sp_host, waker_wake); FIELD(sp_host, waker_drop);
    SIZE(sp_plugin); FIELD(sp_plugin, abi_major); FIELD(sp_plugin, abi_minor);
    FIELD(sp_plugin, host_minor_required); FIELD(sp_plugin, flags); FIELD(sp_plugin, manifest);
    FIELD(sp_plugin, create); FIELD(sp_plugin, destroy); FIELD(sp_plugin, process);
    FIELD(sp_plugin, process_batch); FIELD(sp_plugin, poll); FIELD(sp_plugin, drop_future);
    return 0;
}
