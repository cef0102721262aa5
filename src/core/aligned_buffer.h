// Memory aligned for vectors and caches, kept by its owner and grown only when it must be.
#pragma once

#include <cstddef>
#include <memory>

namespace m2 {

// An array of trivially copyable T, 64-byte aligned, its large blocks on huge pages where the
// system grants them. Contents are undefined after a growth.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) { resize(count); }

  // Room for `count` elements; keeps the block when it is already large enough.
  void resize(size_t count);
  // Gives the block back.
  void release();

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* block) const;
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Allocation behind AlignedBuffer. Throws MemoryError that names the size when memory is short.
void* allocate_aligned(size_t bytes);
void free_aligned(void* block);

template <class T>
void AlignedBuffer<T>::resize(size_t count) {
  if (count > capacity_) {
    data_.reset();
    data_.reset(static_cast<T*>(allocate_aligned(count * sizeof(T))));
    capacity_ = count;
  }
  size_ = count;
}

template <class T>
void AlignedBuffer<T>::release() {
  data_.reset();
  size_ = capacity_ = 0;
}

template <class T>
void AlignedBuffer<T>::Free::operator()(T* block) const {
  free_aligned(block);
}

}  // namespace m2
