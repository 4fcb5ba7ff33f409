// Blocks of a crossbar reduced to the ends of their wires, several blocks in the lanes of vectors.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace mcc {

constexpr int block_lanes = 8;
using Lanes = double __attribute__((vector_size(block_lanes * sizeof(double))));

// Conductances between all pairs of nodes. Nothing leads to ground, so that there is nothing else
// to know, and eliminating a node (star to mesh) takes sums, products and quotients of positive
// numbers only: nothing cancels.
class Mesh {
 public:
  explicit Mesh(int nodes) : nodes_(nodes), pairs_(std::size_t(nodes) * (nodes - 1) / 2) {}

  int nodes() const { return nodes_; }
  Lanes& between(int a, int b) { return a > b ? row(a)[b] : row(b)[a]; }
  const Lanes& between(int a, int b) const {
    return a > b ? pairs_[start(a) + b] : pairs_[start(b) + a];
  }

  // Adds the conductances of another mesh, whose node `a` is `place[a]` here.
  void add(const Mesh& other, const std::vector<int>& place) {
    for (int a = 1; a < other.nodes_; ++a)
      for (int b = 0; b < a; ++b) between(place[a], place[b]) += other.pairs_[start(a) + b];
  }

  void eliminate_last() {
    const Lanes* last = row(--nodes_);
    Lanes total{};
    for (int a = 0; a < nodes_; ++a) total += last[a];
    const Lanes inverse = 1.0 / total;
    for (int a = 1; a < nodes_; ++a) {
      const Lanes factor = last[a] * inverse;
      Lanes* to = row(a);
      for (int b = 0; b < a; ++b) to[b] += factor * last[b];
    }
  }

 private:
  static std::size_t start(int a) { return std::size_t(a) * (a - 1) / 2; }
  Lanes* row(int a) { return pairs_.data() + start(a); }

  int nodes_;
  std::vector<Lanes> pairs_;
};

// Where a block lies among the cells.
struct Part {
  int row, col, rows, cols;
};

// The nodes of a reduced block: near ends of its rows, their far ends, near ends of its columns,
// their far ends. A near end lies one segment before the first cell; a far end is the node of the
// last cell.
inline Mesh joined(const Mesh& one, const Mesh& two, const Part& first, const Part& second,
                   bool across) {
  const int shared = across ? first.rows : first.cols;
  const int rows = across ? first.rows : first.rows + second.rows;
  const int cols = across ? first.cols + second.cols : first.cols;
  const int ports = 2 * (rows + cols);
  Mesh mesh(ports + shared);
  const auto places = [&](const Part& part, bool is_second) {
    const int row = is_second && !across ? first.rows : 0, col = is_second && across ? first.cols : 0;
    std::vector<int> place;
    const auto append = [&](int begin, int count) {
      for (int i = 0; i < count; ++i) place.push_back(begin + i);
    };
    append(is_second && across ? ports : row, part.rows);
    append(!is_second && across ? ports : rows + row, part.rows);
    append(is_second && !across ? ports : 2 * rows + col, part.cols);
    append(!is_second && !across ? ports : 2 * rows + cols + col, part.cols);
    return place;
  };
  mesh.add(one, places(first, false));
  mesh.add(two, places(second, true));
  for (int i = 0; i < shared; ++i) mesh.eliminate_last();
  return mesh;
}

// Reduces a block; `source` gives the conductances of a cell and of the segments before it as
// `cell(row, col)`, `word(row, col)` and `bit(row, col)`.
template <class Source>
Mesh reduced(const Source& source, const Part& part) {
  if (part.rows == 1 && part.cols == 1) {
    Mesh mesh(4);
    mesh.between(0, 1) = source.word(part.row, part.col);
    mesh.between(2, 3) = source.bit(part.row, part.col);
    mesh.between(1, 3) = source.cell(part.row, part.col);
    return mesh;
  }
  Part first = part, second = part;
  const bool across = part.cols >= part.rows;
  if (across) {
    first.cols = part.cols / 2;
    second.col += first.cols;
    second.cols -= first.cols;
  } else {
    first.rows = part.rows / 2;
    second.row += first.rows;
    second.rows -= first.rows;
  }
  return joined(reduced(source, first), reduced(source, second), first, second, across);
}

}  // namespace mcc
