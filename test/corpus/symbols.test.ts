import { describe, expect, it } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { type CodeSymbol, type FileSymbols, symbolsOf } from '../../native-host/corpus/questions/symbols.ts';

async function read(path: string, text: string): Promise<FileSymbols> {
  const symbols = await symbolsOf(documentFrom(path, text));
  if (!symbols) throw new Error(`no grammar for ${path}`);
  return symbols;
}

/** One line a symbol: kind, name with container, parameters, return type, value. */
function brief(symbol: CodeSymbol): string {
  const name = symbol.container === null ? symbol.name : `${symbol.container}.${symbol.name}`;
  const parameters = symbol.parameters ? `(${symbol.parameters.join(', ')})` : '';
  const bases = symbol.bases.length > 0 ? ` < ${symbol.bases.join(', ')}` : '';
  return `${symbol.kind} ${name}${parameters}${symbol.returns ? `: ${symbol.returns}` : ''}${symbol.value ? ` = ${symbol.value}` : ''}${bases}`;
}

describe('TypeScript and JavaScript', () => {
  it('reads declarations of a module', async () => {
    const { symbols, imports } = await read(
      'src/a.ts',
      `import fs, { type Stats as S, join } from 'node:fs';
import * as path from 'node:path';
export { thing } from './thing.js';
/** Adds two numbers. */
export async function add(a: number, b = 2, ...rest: number[]): Promise<number> { helper(a); this.x(); path.join(); return new Box(a); }
const LIMIT = 1_000, NAME = 'box', PATTERN = /a+/g, SUM = 60 * 60;
export const double = (x: number) => x * 2;
const later = make();
let state = 0;
class Box<T> extends Base<T> implements Shape, Other {
  static readonly SIZE = 4;
  private items: T[] = [];
  constructor(private readonly width: number) { super(); this.grow(); }
  get area() { return 1; }
  /** Grows it. */
  grow(by?: number): void { helper(by); }
  handler = (event: Event) => {};
  abstract shrink(): void;
}
interface Shape extends Thing { draw(canvas: Canvas): boolean; name: string }
type Id = string | number;
enum Color { Red = 1, Blue = 'b', Green }
export default function () {}
`,
    );
    expect(symbols.map(brief)).toEqual([
      'function add(a, b, ...rest): Promise<number>',
      'constant LIMIT = 1_000',
      "constant NAME = 'box'",
      'constant PATTERN = /a+/g',
      'constant SUM = 60 * 60',
      'function double(x)',
      'constant later',
      'variable state',
      'class Box < Base, Shape, Other',
      'constant Box.SIZE = 4',
      'method Box.constructor(width)',
      'method Box.grow(by): void',
      'method Box.handler(event)',
      'method Box.shrink(): void',
      'interface Shape < Thing',
      'method Shape.draw(canvas): boolean',
      'type Id',
      'enum Color',
      'constant Color.Red = 1',
      "constant Color.Blue = 'b'",
    ]);
    expect(imports).toEqual([
      { module: 'node:fs', names: ['fs', 'S', 'join'], line: 1 },
      { module: 'node:path', names: ['path'], line: 2 },
      { module: './thing.js', names: ['thing'], line: 3 },
    ]);
    expect(symbols[0]).toMatchObject({
      line: 5,
      endLine: 5,
      doc: 'Adds two numbers.',
      calls: [
        { name: 'helper', receiver: null },
        { name: 'x', receiver: 'self' },
        { name: 'join', receiver: 'path' },
        { name: 'Box', receiver: null },
      ],
    });
    expect(symbols.find((one) => one.name === 'grow')?.doc).toBe('Grows it.');
  });

  it('reads CommonJS, prototypes, wrapped modules and frozen objects', async () => {
    const { symbols, imports } = await read(
      'lib/a.js',
      `'use strict';
const { parse, format: f } = require('./parse');
var util = require('util').inspect;
exports.run = function run(argv) {};
module.exports.stop = () => {};
module.exports = class Runner { go(a) {} };
Runner.prototype.wait = function (ms) {};
const codes = Object.freeze({ OK: 0, 'not-found': 404, name: 'x', f() {}, g: (y) => y });
(function () { function inner(z) {} })();
require('./side-effect');
`,
    );
    expect(symbols.map(brief)).toEqual([
      'function run(argv)',
      'function stop()',
      'class Runner',
      'method Runner.go(a)',
      'method Runner.wait(ms)',
      'constant codes',
      'constant codes.OK = 0',
      "constant codes.name = 'x'",
      'method codes.f()',
      'method codes.g(y)',
      'function inner(z)',
    ]);
    expect(imports.map((one) => [one.module, one.names])).toEqual([
      ['./parse', ['parse', 'f']],
      ['util', ['util']],
      ['./side-effect', []],
    ]);
  });

  it('reads declaration files and JSX', async () => {
    const declared = await read(
      'index.d.ts',
      'declare function f(a: string): void;\nexport declare class C { m(x: number): this; }\ndeclare namespace N { const K: 1; }\n',
    );
    expect(declared.symbols.map(brief)).toEqual([
      'function f(a): void',
      'class C',
      'method C.m(x): this',
      'constant K',
    ]);
    expect(declared.symbols.every((one) => one.declarationOnly)).toBe(true);
    const view = await read('view.tsx', 'export const View = ({ name }: Props) => <b>{format(name)}</b>;\n');
    expect(view.symbols[0]).toMatchObject({
      kind: 'function',
      parameters: ['{ name }'],
      calls: [{ name: 'format', receiver: null }],
    });
  });

  it('knows the comment of a file from that of its first declaration', async () => {
    expect((await read('a.ts', '// Reads the settings.\n// And writes them.\n\nconst a = 1;\n')).header).toBe(
      'Reads the settings.\n And writes them.',
    );
    expect((await read('a.ts', '/** What a is. */\nconst a = 1;\n')).header).toBeNull();
    expect(
      (await read('a.ts', '#!/usr/bin/env node\n/**\n * @file Starts the server.\n * @author x\n */\nconst a = 1;\n'))
        .header,
    ).toBe('Starts the server.');
    expect((await read('a.ts', '// Parses things.\nimport x from "y";\n')).header).toBe('Parses things.');
  });
});

it('reads Python', async () => {
  const { symbols, imports, header } = await read(
    'pkg/a.py',
    `"""Reads things.

More about it.
"""
import os.path as p, sys
from . import sibling
from ..base import Base as B, other

LIMIT = 10
_NAME: str = "x"
value = make()

@decorate
def run(a, b: int = 3, *args, c=None, **kwargs) -> list[str]:
    """Runs it."""
    return helper(a) + p.join(b)

class Thing(Base, metaclass=Meta):
    '''A thing.'''
    SIZE = 4.5
    def __init__(self, name): self.start()
    async def start(self): pass
    @property
    def size(self): return 1
    @staticmethod
    def make(x): return Thing(x)
    @classmethod
    def load(cls, path): pass

if sys.platform == 'win32':
    def only_here(x): pass
`,
  );
  expect(header).toContain('Reads things.');
  expect(symbols.map(brief)).toEqual([
    'constant LIMIT = 10',
    'constant _NAME = "x"',
    'variable value',
    'function run(a, b, *args, c, **kwargs): list[str]',
    'class Thing < Base',
    'constant Thing.SIZE = 4.5',
    'method Thing.__init__(name)',
    'method Thing.start()',
    'method Thing.make(x)',
    'method Thing.load(path)',
    'function only_here(x)',
  ]);
  expect(symbols.find((one) => one.name === 'Thing')?.doc).toBe('A thing.');
  expect(imports.map((one) => [one.module, one.names])).toEqual([
    ['os.path', ['p']],
    ['sys', ['sys']],
    ['.', ['sibling']],
    ['..base', ['B', 'other']],
  ]);
});

it('reads Go', async () => {
  const { symbols, imports, header } = await read(
    'pkg/a.go',
    `// Package a reads things.
package a

import (
	"fmt"
	str "strings"
)

// Limit is the most that is read.
const Limit = 10

const (
	// First of them.
	First = "one"
	Second = iota
)

var state = map[string]int{}

// Run runs it.
func Run(a, b int, rest ...string) (int, error) { helper(a); fmt.Println(b); return 0, nil }

// Thing is a thing.
type Thing[T any] struct { name string }
type Shape interface { Draw(c Canvas) bool }
type ID = string

func (t *Thing[T]) Start(n int) string { t.stop(); return "" }
`,
  );
  expect(header).toBe('Package a reads things.');
  expect(symbols.map(brief)).toEqual([
    'constant Limit = 10',
    'constant First = "one"',
    'constant Second',
    'variable state',
    'function Run(a, b, ...rest): (int, error)',
    'struct Thing',
    'interface Shape',
    'type ID',
    'method Thing.Start(n): string',
  ]);
  expect(symbols.find((one) => one.name === 'Run')).toMatchObject({
    doc: 'Run runs it.',
    calls: [
      { name: 'helper', receiver: null },
      { name: 'Println', receiver: 'fmt' },
    ],
  });
  expect(symbols.find((one) => one.name === 'First')?.doc).toBe('First of them.');
  expect(symbols.at(-1)?.calls).toEqual([{ name: 'stop', receiver: 'self' }]);
  expect(imports.map((one) => [one.module, one.names])).toEqual([
    ['fmt', ['fmt']],
    ['strings', ['str']],
  ]);
});

it('reads Rust', async () => {
  const { symbols, imports, header } = await read(
    'src/a.rs',
    `//! Reads things.
use std::io::{self, Read as R};
use crate::base::Base;

/// The most that is read.
pub const LIMIT: usize = 10;
static NAME: &str = "x";

/// A thing.
#[derive(Debug)]
pub struct Thing<T> { name: T }
pub enum Kind { A, B }
pub trait Draw { fn draw(&self, canvas: &Canvas) -> bool; }
type Id = u32;
macro_rules! show { () => {} }

/// Runs it.
pub fn run(a: u32, mut b: &str) -> Result<(), Error> { helper(a); Base::new(b); b.len(); Ok(()) }

impl<T> Thing<T> {
    const SIZE: u8 = 4;
    /// Makes one.
    pub fn new(name: T) -> Self { Self::check(); Thing { name } }
    fn start(&mut self, n: u8) { self.stop(); }
}
impl<T> Draw for Thing<T> { fn draw(&self, canvas: &Canvas) -> bool { true } }
#[cfg(test)]
mod tests { fn in_test() {} }
mod inner { pub fn inside() {} }
`,
  );
  expect(header).toBe('Reads things.');
  expect(symbols.map(brief)).toEqual([
    'constant LIMIT = 10',
    'constant NAME = "x"',
    'struct Thing',
    'enum Kind',
    'trait Draw',
    'method Draw.draw(canvas): bool',
    'type Id',
    'macro show',
    'function run(a, b): Result<(), Error>',
    'constant Thing.SIZE = 4',
    'method Thing.new(name): Self',
    'method Thing.start(n)',
    'function inside()',
  ]);
  expect(symbols.find((one) => one.name === 'Thing')?.doc).toBe('A thing.');
  expect(symbols.find((one) => one.name === 'LIMIT')?.doc).toBe('The most that is read.');
  expect(imports.map((one) => [one.module, one.names])).toEqual([
    ['std::io', ['self', 'R']],
    ['crate::base', ['Base']],
  ]);
});

it('reads Java', async () => {
  const { symbols, imports } = await read(
    'src/a/b/Thing.java',
    `package a.b;
import java.util.List;
import a.c.Base;
/** A thing. */
public final class Thing<T> extends Base<T> implements Shape, Runnable {
  public static final int LIMIT = 10;
  private String name = "x";
  public Thing(String name) { this.name = name; }
  /** Runs it. */
  @Override public List<String> run(final int a, String... rest) { helper(a); other.go(); return null; }
  static class Inner { void inside() {} }
}
interface Shape { boolean draw(Canvas canvas); int SIDES = 3; }
enum Kind { A, B; int order() { return 1; } }
record Pair(int a, int b) {}
`,
  );
  expect(symbols.map(brief)).toEqual([
    'class Thing < Base<T>, Shape, Runnable',
    'constant Thing.LIMIT = 10',
    'method Thing.run(a, ...rest): List<String>',
    'class Inner',
    'method Inner.inside(): void',
    'interface Shape',
    'method Shape.draw(canvas): boolean',
    'constant Shape.SIDES = 3',
    'enum Kind',
    'method Kind.order(): int',
    'class Pair',
  ]);
  expect(symbols[2]).toMatchObject({
    doc: 'Runs it.',
    calls: [
      { name: 'helper', receiver: 'self' },
      { name: 'go', receiver: 'other' },
    ],
  });
  expect(imports.map((one) => one.module)).toEqual(['java.util.List', 'a.c.Base']);
});

it('reads C and C++', async () => {
  const c = await read(
    'src/a.c',
    `/* Reads things. */

#include <stdio.h>
#include "base.h"
#ifndef A_H
#define A_H
#define LIMIT 10
#define SQUARE(x) ((x) * (x))
/* Runs it. */
static const char *run(int a, const char *b, char c[3], void (*done)(int)) { helper(a); b->go(); return b; }
int declared(void);
typedef struct { int x; } Point;
typedef int (*callback)(int);
enum kind { FIRST = 1, SECOND };
static const double RATIO = 0.5;
extern int counter;
#endif
`,
  );
  expect(c.header).toBe('Reads things.');
  expect(c.symbols.map(brief)).toEqual([
    'macro LIMIT = 10',
    'macro SQUARE(x)',
    'function run(a, b, c, done): const char *',
    'function declared(): int',
    'struct Point',
    'enum kind',
    'constant FIRST = 1',
    'constant RATIO = 0.5',
    'variable counter',
  ]);
  expect(c.symbols.find((one) => one.name === 'declared')?.declarationOnly).toBe(true);
  expect(c.imports.map((one) => one.module)).toEqual(['stdio.h', 'base.h']);
  const cpp = await read(
    'src/a.cpp',
    `namespace ns {
class Thing : public Base, private Other {
 public:
  Thing(int a);
  ~Thing();
  bool operator==(const Thing &other) const;
  /// Starts it.
  virtual int start(int n) const { return stop(n); }
  static const int SIZE = 4;
};
template <typename T> T largest(T a, T b) { return a; }
auto later(int x) -> double { return x; }
enum class Kind { A = 1 };
using Id = int;
}
int ns::Thing::stop(int n) { this->start(n); return ns::largest(n, n); }
`,
  );
  expect(cpp.symbols.map(brief)).toEqual([
    'class Thing < Base, Other',
    'method Thing.start(n): int',
    'constant Thing.SIZE = 4',
    'function largest(a, b): T',
    'function later(x): double',
    'enum Kind',
    'constant Kind.A = 1',
    'type Id',
    'method Thing.stop(n): int',
  ]);
});

describe('broken and strange texts', () => {
  const paths = ['a.ts', 'a.tsx', 'a.js', 'a.py', 'a.go', 'a.rs', 'a.java', 'a.c', 'a.cpp'];
  const fragments = [
    'class',
    'export',
    'function',
    '{',
    '}',
    '(',
    ')',
    'x',
    '=',
    ':',
    ',',
    '"s"',
    '1',
    '\n',
    'def',
    'impl',
    'fn',
    'func',
    'import',
    'from',
    'const',
    'enum',
    '/** d */',
    '#define',
    'struct',
    'type',
    '*',
    '.',
    '@',
    'extends',
    '=>',
    'static',
    '::',
    '<',
    '>',
    'require',
    'module.exports',
  ];

  it('never fails, whatever the text', async () => {
    let state = 12345;
    const next = (limit: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % limit;
    };
    for (let round = 0; round < 108; round++) {
      const text = Array.from({ length: 5 + next(60) }, () => fragments[next(fragments.length)]).join(
        next(2) ? ' ' : '',
      );
      const read = await symbolsOf(documentFrom(paths[round % paths.length] as string, text));
      for (const symbol of read?.symbols ?? []) expect(symbol.name).toMatch(/^\S+$/);
    }
  });

  it('reads what stands before and after an error', async () => {
    const { symbols } = await read('a.ts', 'function first() {}\nconst = = ;\nfunction second(a) {}\n');
    expect(symbols.map((one) => one.name)).toEqual(['first', 'second']);
  });

  it('survives nesting a thousand deep, and leaves very long texts out', async () => {
    expect(
      (await read('a.ts', `const a = ${'('.repeat(1000)}1${')'.repeat(1000)};\nfunction after() {}\n`)).symbols.map(
        (one) => one.name,
      ),
    ).toContain('after');
    expect((await read('a.js', `f(${'[1+'.repeat(3000)}1${']'.repeat(3000)});`)).symbols).toEqual([]);
    expect(await symbolsOf(documentFrom('a.ts', 'a;\n'.repeat(200_000)))).toBeNull();
    expect(await symbolsOf(documentFrom('a.unknown', 'x'))).toBeNull();
  });
});
