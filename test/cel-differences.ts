// Where filters differ from CEL, and why. A case that is not here has to be as the
// language says, and one that is here has to differ.

/** Names of cases of the suite, by the reason for which they differ. `*` stands for a whole section. */
export const DIFFERENCES: ReadonlyArray<{
  readonly reason: string;
  readonly cases: readonly string[];
}> = [
  {
    reason: 'types, functions and branches are checked before a filter is accepted',
    cases: [
      'basic/functions/unbound_is_runtime_error',
      'comparisons/eq_literal/eq_mixed_types',
      'comparisons/eq_literal/eq_list_elem_mixed_types',
      'comparisons/eq_literal/not_eq_list_length',
      'comparisons/ne_literal/ne_mixed_types',
      'logic/conditional/mixed_type',
      'logic/AND/short_circuit_type_left',
      'logic/AND/short_circuit_type_right',
      'logic/OR/short_circuit_type_left',
      'logic/OR/short_circuit_type_right',
      'parse/receiver_function_names/*',
    ],
  },
  {
    reason: 'the grammar has no names in backticks: write data["content-type"]',
    cases: ['fields/quoted_map_fields/*'],
  },
  {
    reason: 'a number begins with a digit: write 0.99',
    cases: ['comparisons/gt_literal/not_gt_double'],
  },
  {
    reason: 'literals of bytes are ASCII, and are not raw: no data in JSON needs them',
    cases: [
      'basic/self_eval_nonzeroish/self_eval_bytes_escape',
      'comparisons/eq_literal/eq_bytes',
      'comparisons/ne_literal/not_ne_bytes',
      'parse/bytes_literals/raw_single_quoted_escapes',
      'parse/bytes_literals/raw_double_quoted_escapes',
      'parse/bytes_literals/raw_triple_single_quoted_escapes',
      'parse/bytes_literals/raw_triple_double_quoted_escapes',
      'parse/bytes_literals/upper_raw_single_quoted_escapes',
      'parse/bytes_literals/upper_raw_double_quoted_escapes',
      'parse/bytes_literals/upper_raw_triple_single_quoted_escapes',
      'parse/bytes_literals/upper_raw_triple_double_quoted_escapes',
    ],
  },
  {
    reason: 'integers and doubles above 2^53 compare exactly, not rounded to doubles',
    cases: [
      'comparisons/lt_literal/not_lt_dyn_int_big_lossy_double',
      'comparisons/gt_literal/not_gt_dyn_big_double_int',
      'comparisons/lte_literal/lte_dyn_big_double_int',
      'comparisons/gte_literal/gte_dyn_int_big_lossy_double',
    ],
  },
  {
    reason: 'unsigned integers within lists and maps equal only each other: JSON has none',
    cases: [
      'comparisons/eq_literal/eq_list_mixed_type_numbers',
      'comparisons/eq_literal/eq_map_mixed_type_numbers',
      'lists/index/zero_based_uint',
      'lists/in/uint_in_ints',
      'lists/in/uint_in_doubles',
      'lists/in/int_in_uints',
      'lists/in/double_in_uints',
    ],
  },
  {
    reason:
      'the keys of a map that a filter writes are text, and the last of two equal ones counts',
    cases: [
      'fields/qualified_identifier_resolution/map_key_float',
      'fields/qualified_identifier_resolution/map_key_null',
      'fields/qualified_identifier_resolution/map_value_repeat_key',
      'fields/qualified_identifier_resolution/map_value_repeat_key_heterogeneous',
      'macros/exists_one/map_one',
    ],
  },
  {
    reason: 'minus -2^63 is 2^63 instead of an overflow',
    cases: [
      'integer_math/int64_math/int64_min_negate',
      'integer_math/int64_math/int64_min_negate_div',
    ],
  },
  {
    reason: 'timestamps are precise to the millisecond',
    cases: [
      'timestamps/timestamp_conversions/toString_timestamp_nanos',
      'timestamps/timestamp_arithmetic/add_time_to_duration_nanos_positive',
      'timestamps/timestamp_range/add_duration_nanos_over',
    ],
  },
  {
    reason: 'a duration may be as long as all of time, 10,000 years, not 292',
    cases: [
      'timestamps/timestamp_range/sub_time_duration_over',
      'timestamps/timestamp_range/sub_time_duration_under',
    ],
  },
];

/** The filters of `cel-probes.json` that differ, and why. */
export const PROBE_DIFFERENCES: ReadonlyMap<string, string> = new Map([
  [
    String.raw`'￿' < '\U0001F600'`,
    'strings are ordered by UTF-16 code units, which is another order above U+FFFF only',
  ],
  [
    `timestamp(data.tsnano) > timestamp('2024-05-01T10:00:00.123456788Z')`,
    'timestamps are precise to the millisecond',
  ],
]);
