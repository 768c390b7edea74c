// What the model checkers share: a breadth-first search over states that are plain bytes, and a table of expected outcomes.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

// Every state that was reached, once, with the number of the one that it was reached from. States are compared as bytes:
// the first is cleared with memset, so that padding tells no equal states apart.
template <class State>
class Store {
  static_assert(std::is_trivially_copyable_v<State>);

 public:
  static constexpr uint32_t NONE = ~0u;

  // Where it will be looked for, fetched meanwhile: most of the time is waiting for memory.
  uint64_t expect(const State& state) const {
    uint64_t hashed = hash(state);
    __builtin_prefetch(&table[hashed & mask]);
    return hashed;
  }
  // Says whether it is new.
  bool add(const State& state, uint32_t from) { return add(state, from, hash(state)); }
  bool add(const State& state, uint32_t from, uint64_t hashed) {
    size_t at = slot(state, hashed);
    if (table[at] != NONE) return false;
    table[at] = states.size();
    states.push_back(state);
    parents.push_back(from);
    if (states.size() * 2 > mask) grow();
    return true;
  }
  uint32_t find(const State& state) const { return table[slot(state, hash(state))]; }
  const State& operator[](uint32_t number) const { return states[number]; }
  uint32_t parent(uint32_t number) const { return parents[number]; }
  size_t size() const { return states.size(); }

 private:
  std::vector<State> states;
  std::vector<uint32_t> parents, table = std::vector<uint32_t>(1 << 16, NONE);
  size_t mask = (1 << 16) - 1;

  static uint64_t hash(const State& state) {
    uint64_t mixed = 0, word;
    const char* bytes = reinterpret_cast<const char*>(&state);
    for (size_t at = 0; at < sizeof(State); at += 8) {
      word = 0;
      memcpy(&word, bytes + at, sizeof(State) - at < 8 ? sizeof(State) - at : 8);
      mixed = (mixed ^ word) * 0x9E3779B97F4A7C15ull;
      mixed ^= mixed >> 29;
    }
    return mixed * 0xBF58476D1CE4E5B9ull >> 16;
  }
  size_t slot(const State& state, uint64_t hashed) const {
    size_t at = hashed & mask;
    while (table[at] != NONE && memcmp(&states[table[at]], &state, sizeof(State))) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    mask = mask * 2 + 1;
    table.assign(mask + 1, NONE);
    for (uint32_t number = 0; number < states.size(); number++) table[slot(states[number], hash(states[number]))] = number;
  }
};

template <class State>
struct Result {
  bool bad = false;
  size_t states = 0;
  std::vector<std::pair<std::string, State>> trace;  // what happened, and what was the case then
};

// `follow(state, add)` calls `add(label, next)` for whatever can happen; `label` makes a text, and is asked only for a trace.
#define ADD(label, next) add([&] { return std::string(label); }, next)

template <class State, class Follow, class Bad>
Result<State> search(const State& first, Follow follow, Bad bad) {
  Store<State> store;
  Result<State> result;
  uint32_t from = 0, end = Store<State>::NONE;
  store.add(first, Store<State>::NONE);
  auto visit = [&](auto&&, const State& next) {
    if (store.add(next, from) && end == Store<State>::NONE && bad(next)) end = store.size() - 1;
  };
  for (; from < store.size() && end == Store<State>::NONE; from++) {
    const State state = store[from];
    follow(state, visit);
  }
  result.bad = end != Store<State>::NONE;
  result.states = store.size();
  for (uint32_t at = end; at != Store<State>::NONE && at != 0; at = store.parent(at)) {
    std::string told;
    auto name = [&](auto&& label, const State& next) {
      if (told.empty() && !memcmp(&next, &store[at], sizeof(State))) told = label();
    };
    follow(store[store.parent(at)], name);
    result.trace.insert(result.trace.begin(), {told, store[at]});
  }
  return result;
}

// One line for each variant of the protocol; the exit code says whether all were as they must be.
class Table {
 public:
  template <class State>
  void row(const char* name, bool expected_bad, const Result<State>& result) {
    bool as_expected = result.bad == expected_bad;
    all_as_expected &= as_expected;
    printf("%-86s %-9s states=%9zu%s\n", name, result.bad ? "VIOLATION" : "safe", result.states,
           as_expected ? "" : "  <<< UNEXPECTED");
    if (result.bad) {
      printf("     ");
      for (const auto& [told, state] : result.trace) printf(" %s;", told.c_str());
      puts("");
    }
    fflush(stdout);
  }
  void fact(const char* name, int found, int expected) {
    all_as_expected &= found == expected;
    printf("%-86s %d, expected %d%s\n", name, found, expected, found == expected ? "" : "  <<< UNEXPECTED");
    fflush(stdout);
  }
  int exit_code() const { return all_as_expected ? 0 : 1; }

 private:
  bool all_as_expected = true;
};
