// A stage in Zig: marks the word "perhaps" in a layer of its own.
//
// zig build-lib -dynamic -O ReleaseSmall -fstrip -target x86_64-linux-gnu.2.17 -lc \
//     --name hedge_zig hedge.zig
//
// The types are those of `standpoint.h`, as far as this stage looks at them.

const Str = extern struct { ptr: ?[*]const u8, len: usize };

fn str(comptime text: []const u8) Str {
    return .{ .ptr = text.ptr, .len = text.len };
}

const Annotation = extern struct {
    start: u32,
    end: u32,
    label: u32 = 0,
    flags: u32 = 0,
    score: f32 = 0,
    link: u32 = 0xffffffff,
};

const Layer = extern struct {
    name: Str,
    annotations: ?[*]const Annotation = null,
    annotation_count: usize = 0,
    labels: ?[*]const Str = null,
    label_count: usize = 0,
    vectors: ?[*]const f32 = null,
    vector_width: u32 = 0,
    reserved: u32 = 0,
};

const Document = extern struct {
    size: u32,
    reserved: u32,
    id: Str,
    text: Str,
    metadata: [7]Str,
    layers: ?[*]const Layer,
    layer_count: usize,
};

const Host = extern struct {
    size: u32,
    abi_major: u32,
    abi_minor: u32,
    max_level: u32,
    log: *const fn (*const Host, u32, Str, Str, Str) callconv(.c) void,
    set_layer: *const fn (*anyopaque, *const Layer) callconv(.c) i32,
};

const Create = *const fn (*const Host, *anyopaque, *anyopaque, *?*anyopaque) callconv(.c) i32;
const Destroy = *const fn (?*anyopaque) callconv(.c) i32;
const Process = *const fn (?*anyopaque, *anyopaque, *const Document, *anyopaque, *anyopaque, *anyopaque) callconv(.c) i32;

const Plugin = extern struct {
    size: u32 = @sizeOf(Plugin),
    abi_major: u32 = 1,
    abi_minor: u32 = 0,
    host_minor_required: u32 = 0,
    flags: u32 = 0,
    reserved: u32 = 0,
    manifest: Str,
    create: Create,
    destroy: Destroy,
    process: Process,
    process_batch: ?*anyopaque = null,
    poll: ?*anyopaque = null,
    drop_future: ?*anyopaque = null,
};

const json =
    \\{"abi":{"major":1,"minor":0},"name":"hedge-zig","version":"1.0.0","reads":["tokens"],"writes":["hedges"]}
;

const Section = extern struct { magic: [8]u8, framing: u32, length: u32, json: [json.len]u8 };

export const sp_manifest: Section linksection(".standpoint") = .{
    .magic = .{ 'S', 'T', 'A', 'N', 'D', 'P', 'T', 1 },
    .framing = 1,
    .length = json.len,
    .json = json.*,
};

// An address cannot be written into constant data that is not known yet, so the host is kept here.
var host: *const Host = undefined;

fn create(table: *const Host, _: *anyopaque, _: *anyopaque, _: *?*anyopaque) callconv(.c) i32 {
    host = table;
    return 0;
}

fn destroy(_: ?*anyopaque) callconv(.c) i32 {
    return 0;
}

fn process(_: ?*anyopaque, call: *anyopaque, document: *const Document, _: *anyopaque, _: *anyopaque, _: *anyopaque) callconv(.c) i32 {
    var marks: [4096]Annotation = undefined;
    var count: usize = 0;
    if (document.layer_count > 0) {
        const tokens = document.layers.?[0];
        const text = document.text.ptr.?;
        for (0..tokens.annotation_count) |at| {
            const token = tokens.annotations.?[at];
            // One that hedges more than this says nothing.
            if (count < marks.len and is_hedge(text[token.start..token.end])) {
                marks[count] = .{ .start = token.start, .end = token.end };
                count += 1;
            }
        }
    }
    const layer = Layer{ .name = str("hedges"), .annotations = &marks, .annotation_count = count };
    return host.set_layer(call, &layer);
}

fn is_hedge(word: []const u8) bool {
    const hedge = "perhaps";
    if (word.len != hedge.len) return false;
    for (word, hedge) |found, wanted| {
        if (found | 0x20 != wanted) return false;
    }
    return true;
}

export const standpoint_plugin_v1: Plugin = .{
    .manifest = .{ .ptr = json, .len = json.len },
    .create = create,
    .destroy = destroy,
    .process = process,
};
