#include "checkpoint/test_files.h"

namespace m2 {
namespace {

uint16_t short_size(size_t size) {
  return static_cast<uint16_t>(size);
}
uint32_t size32(uint64_t size) {
  return static_cast<uint32_t>(size);
}

// The fields that a local header and a directory entry share: flags to uncompressed size.
std::string shared_fields(const ZipMember& member, const std::string& data, bool zip64) {
  const auto crc =
      crc32_z(0, reinterpret_cast<const Bytef*>(member.content.data()), member.content.size());
  const uint32_t full = 0xFFFFFFFF;
  const uint32_t size = member.size.value_or(size32(member.content.size()));
  return raw(member.flags) + raw(uint16_t(member.deflate ? 8 : 0)) + raw(uint32_t{0}) +
         raw(member.crc.value_or(static_cast<uint32_t>(crc))) +
         raw(zip64 ? full : size32(data.size())) + raw(zip64 ? full : size);
}

std::string zip64_field(const ZipMember& member, const std::string& data, uint64_t record) {
  return raw(uint16_t{1}) + raw(uint16_t{24}) + raw(uint64_t{member.content.size()}) +
         raw(uint64_t{data.size()}) + raw(record);
}

std::string zip64_end(uint64_t entries, uint64_t directory_bytes, uint64_t directory_begin) {
  const uint64_t offset = directory_begin + directory_bytes;
  return raw(uint32_t{0x06064b50}) + raw(uint64_t{44}) + raw(uint32_t{0}) + raw(uint64_t{0}) +
         raw(entries) + raw(entries) + raw(directory_bytes) + raw(directory_begin) +
         raw(uint32_t{0x07064b50}) + raw(uint32_t{0}) + raw(offset) + raw(uint32_t{1});
}

}  // namespace

std::string deflated(const std::string& content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, content.size()), '\0');
  std::string in = content;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = size32(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = size32(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string make_zip(const std::vector<ZipMember>& members, bool zip64) {
  std::string out, directory;
  for (const ZipMember& member : members) {
    const std::string data = member.deflate ? deflated(member.content) : member.content;
    const std::string fields = shared_fields(member, data, zip64);
    const std::string local = member.local_name.value_or(member.name);
    const uint32_t record = member.record.value_or(size32(out.size()));
    out += raw(uint32_t{0x04034b50}) + raw(uint16_t{20}) + fields + raw(short_size(local.size())) +
           raw(uint16_t{0}) + local + data;
    const std::string extra = zip64 ? zip64_field(member, data, record) : "";
    directory += raw(uint32_t{0x02014b50}) + raw(uint32_t{0}) + fields +
                 raw(short_size(member.name.size())) + raw(short_size(extra.size())) +
                 std::string(10, '\0') + raw(zip64 ? 0xFFFFFFFF : record) + member.name + extra;
  }
  const uint64_t begin = out.size();
  out += directory;
  if (zip64) out += zip64_end(members.size(), directory.size(), begin);
  const uint16_t count = zip64 ? uint16_t{0xFFFF} : short_size(members.size());
  return out + raw(uint32_t{0x06054b50}) + raw(uint32_t{0}) + raw(count) + raw(count) +
         raw(zip64 ? 0xFFFFFFFF : size32(directory.size())) +
         raw(zip64 ? 0xFFFFFFFF : size32(begin)) + raw(uint16_t{0});
}

std::string p_text(const std::string& text) {
  return std::string("X") + raw(size32(text.size())) + text;
}

std::string p_integer(int64_t value) {
  return std::string("\x8a\x08") + raw(value);
}

std::string p_tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}

std::string p_global(const std::string& module, const std::string& name) {
  return std::string("c") + module + "\n" + name + "\n";
}

std::string p_call(const std::string& callable, const std::vector<std::string>& arguments) {
  return callable + p_tuple(arguments) + "R";
}

std::string p_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += p_text(key) + value;
  return out + "u";
}

std::string p_ordered_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  return p_call(p_global("collections", "OrderedDict"), {}) + p_dict(items).substr(1);
}

std::string p_tensor(const TensorPickle& tensor) {
  const auto integers = [](const std::vector<int64_t>& values) {
    std::vector<std::string> items;
    for (const int64_t value : values) items.push_back(p_integer(value));
    return p_tuple(items);
  };
  const std::string storage =
      p_tuple({p_text("storage"), p_global("torch", tensor.storage_class), p_text(tensor.key),
               p_text("cpu"), p_integer(tensor.elements)}) +
      "Q";
  return p_call(p_global("torch._utils", "_rebuild_tensor_v2"),
                {storage, p_integer(tensor.offset), integers(tensor.shape),
                 integers(tensor.strides), "\x89", p_ordered_dict({})});
}

std::string pickle_of(const std::string& value) {
  return std::string("\x80\x02") + value + ".";
}

std::string torch_archive(const std::string& value, const std::string& data) {
  return make_zip({{.name = "archive/data.pkl", .content = pickle_of(value)},
                   {.name = "archive/byteorder", .content = "little"},
                   {.name = "archive/data/0", .content = data}});
}

}  // namespace m2
