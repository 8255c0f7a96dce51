/** Code of no repository, in several languages, for anchors. Written for this purpose. */

export const anchorCode: readonly { path: string; text: string }[] = [
  {
    path: 'inventory/store.py',
    text: `"""Keeps track of what is on the shelves."""
from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 250


class OutOfStock(Exception):
    """Raised when more is taken than there is."""

    def __init__(self, name: str, wanted: int, present: int) -> None:
        super().__init__(f"{wanted} of {name} wanted, {present} present")
        self.name = name


@dataclass
class Item:
    name: str
    count: int = 0
    tags: list[str] = field(default_factory=list)

    def matches(self, word: str) -> bool:
        return word in self.name or any(word in tag for tag in self.tags)


class Inventory:
    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._items: dict[str, Item] = {}
        self._limit = limit

    def add(self, name: str, count: int = 1) -> Item:
        if count <= 0:
            raise ValueError("count must be positive")
        item = self._items.setdefault(name, Item(name))
        item.count = min(item.count + count, self._limit)
        logger.debug("added %d of %s", count, name)
        return item

    def take(self, name: str, count: int = 1) -> None:
        item = self._items.get(name)
        present = item.count if item is not None else 0
        if present < count:
            raise OutOfStock(name, count, present)
        item.count -= count

    def search(self, word: str) -> Iterator[Item]:
        for item in self._items.values():
            if item.matches(word):
                yield item

    @classmethod
    def load(cls, path: Path) -> "Inventory":
        inventory = cls()
        with path.open(encoding="utf-8") as handle:
            for entry in json.load(handle):
                inventory.add(entry["name"], entry["count"])
        return inventory

    def __len__(self) -> int:
        return len(self._items)
`,
  },
  {
    path: 'lib/scheduler.js',
    text: `'use strict'

const { setTimeout: wait } = require('timers/promises')
const assert = require('assert')

const kQueue = Symbol('queue')
const defaults = { concurrency: 4, retries: 2, delay: 100 }

class Scheduler {
  constructor (options = {}) {
    const { concurrency, retries, delay } = { ...defaults, ...options }
    assert(concurrency > 0, 'concurrency must be positive')
    this.concurrency = concurrency
    this.retries = retries
    this.delay = delay
    this.running = 0
    this[kQueue] = []
  }

  get length () {
    return this[kQueue].length
  }

  push (job) {
    if (typeof job !== 'function') {
      throw new TypeError('job must be a function, got ' + typeof job)
    }
    return new Promise((resolve, reject) => {
      this[kQueue].push({ job, resolve, reject })
      this._next()
    })
  }

  async _next () {
    if (this.running >= this.concurrency) return
    const entry = this[kQueue].shift()
    if (!entry) return
    this.running++
    try {
      entry.resolve(await this._attempt(entry.job))
    } catch (err) {
      entry.reject(err)
    } finally {
      this.running--
      this._next()
    }
  }

  async _attempt (job, tries = 0) {
    try {
      return await job()
    } catch (err) {
      if (tries >= this.retries) throw err
      await wait(this.delay * 2 ** tries)
      return this._attempt(job, tries + 1)
    }
  }
}

module.exports = Scheduler
module.exports.defaults = defaults
`,
  },
  {
    path: 'src/geometry/polygon.ts',
    text: `import { distance, type Point } from './point.js';

export interface Bounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export type Visitor<T> = (point: Point, index: number) => T;

const EPSILON = 1e-9;

/** A closed polygon; the last corner is joined to the first. */
export class Polygon {
  private cachedArea: number | undefined;

  constructor(readonly corners: readonly Point[]) {
    if (corners.length < 3) throw new RangeError(\`a polygon needs 3 corners, not \${corners.length}\`);
  }

  get area(): number {
    if (this.cachedArea === undefined) {
      let sum = 0;
      for (let i = 0; i < this.corners.length; i++) {
        const a = this.corners[i]!;
        const b = this.corners[(i + 1) % this.corners.length]!;
        sum += a.x * b.y - b.x * a.y;
      }
      this.cachedArea = Math.abs(sum) / 2;
    }
    return this.cachedArea;
  }

  get perimeter(): number {
    return this.corners.reduce((sum, corner, i) => sum + distance(corner, this.next(i)), 0);
  }

  bounds(): Bounds {
    const xs = this.corners.map(({ x }) => x);
    const ys = this.corners.map(({ y }) => y);
    return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  }

  map<T>(visit: Visitor<T>): T[] {
    return this.corners.map((corner, index) => visit(corner, index));
  }

  private next(index: number): Point {
    return this.corners[(index + 1) % this.corners.length]!;
  }
}

export function isConvex(polygon: Polygon): boolean {
  return polygon.area > EPSILON;
}
`,
  },
  {
    path: 'tests/test_clock.py',
    text: `import datetime as dt

import pytest

from clockwork import Alarm, Clock, parse_time


@pytest.fixture
def clock():
    return Clock(start=dt.datetime(2021, 3, 4, 12, 0))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("07:30", dt.time(7, 30)),
        ("7.30 pm", dt.time(19, 30)),
        ("midnight", dt.time(0, 0)),
    ],
)
def test_parse_time(text, expected):
    assert parse_time(text) == expected


def test_parse_time_rejects_nonsense():
    with pytest.raises(ValueError) as error:
        parse_time("25:99")
    assert "25:99" in str(error.value)


def test_alarm_rings_once(clock):
    rung = []
    alarm = Alarm(at=dt.time(12, 5), callback=lambda: rung.append(True))
    clock.register(alarm)
    clock.advance(minutes=4)
    assert rung == []
    clock.advance(minutes=2)
    clock.advance(minutes=2)
    assert rung == [True]
`,
  },
  {
    path: 'include/ringbuffer.h',
    text: `#ifndef RINGBUFFER_H
#define RINGBUFFER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RINGBUFFER_MAX 4096

typedef struct ringbuffer {
    uint8_t *data;
    size_t capacity;
    size_t head;
    size_t tail;
} ringbuffer_t;

/* Returns 0 on success, or a negative error code. */
int ringbuffer_init(ringbuffer_t *rb, size_t capacity);
void ringbuffer_free(ringbuffer_t *rb);

static inline size_t ringbuffer_used(const ringbuffer_t *rb)
{
    return (rb->head + rb->capacity - rb->tail) % rb->capacity;
}

static inline int ringbuffer_empty(const ringbuffer_t *rb)
{
    return rb->head == rb->tail;
}

size_t ringbuffer_write(ringbuffer_t *rb, const void *src, size_t len);
size_t ringbuffer_read(ringbuffer_t *rb, void *dst, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* RINGBUFFER_H */
`,
  },
  {
    path: 'cmd/mirror/main.go',
    text: `package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

type mirror struct {
	client *http.Client
	target string
}

func newMirror(target string, timeout time.Duration) *mirror {
	return &mirror{client: &http.Client{Timeout: timeout}, target: target}
}

func (m *mirror) check(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, m.target, nil)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return fmt.Errorf("unexpected status %d", resp.StatusCode)
	}
	return nil
}

func main() {
	target := flag.String("target", "http://localhost:8080", "address to mirror")
	flag.Parse()
	if err := newMirror(*target, 5*time.Second).check(context.Background()); err != nil {
		log.Println(err)
		os.Exit(1)
	}
}
`,
  },
  {
    path: 'package.json',
    text: `{
  "name": "paper-boat",
  "version": "3.2.0",
  "description": "Fold streams of lines into records",
  "main": "index.js",
  "types": "index.d.ts",
  "files": ["lib", "index.js", "index.d.ts"],
  "scripts": {
    "lint": "eslint .",
    "test": "tap test/*.js",
    "prepublishOnly": "npm run lint && npm test"
  },
  "repository": {
    "type": "git",
    "url": "git+https://example.com/paper-boat.git"
  },
  "keywords": ["stream", "lines", "records"],
  "license": "MIT",
  "engines": {
    "node": ">=14"
  },
  "devDependencies": {
    "eslint": "^8.20.0",
    "tap": "^16.3.0"
  }
}
`,
  },
  {
    path: 'src/tokenizer.rs',
    text: `use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(f64),
    Name(String),
    Operator(char),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Number(value) => write!(f, "{value}"),
            Token::Name(name) => write!(f, "{name}"),
            Token::Operator(c) => write!(f, "{c}"),
            Token::End => write!(f, "end of input"),
        }
    }
}

pub struct Tokenizer<'a> {
    chars: Peekable<Chars<'a>>,
}

impl<'a> Tokenizer<'a> {
    pub fn new(source: &'a str) -> Self {
        Tokenizer { chars: source.chars().peekable() }
    }

    pub fn next_token(&mut self) -> Result<Token, String> {
        while matches!(self.chars.peek(), Some(c) if c.is_whitespace()) {
            self.chars.next();
        }
        match self.chars.peek() {
            None => Ok(Token::End),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some(c) if c.is_alphabetic() => Ok(self.name()),
            Some(_) => Ok(Token::Operator(self.chars.next().unwrap())),
        }
    }
}
`,
  },
  {
    path: 'app/models/subscription.py',
    text: `from django.conf import settings
from django.db import models
from django.utils import timezone


class SubscriptionQuerySet(models.QuerySet):
    def active(self):
        now = timezone.now()
        return self.filter(started_at__lte=now, cancelled_at__isnull=True)

    def for_user(self, user):
        return self.filter(user=user)


class Subscription(models.Model):
    MONTHLY = "monthly"
    YEARLY = "yearly"
    PERIODS = [(MONTHLY, "Monthly"), (YEARLY, "Yearly")]

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions")
    period = models.CharField(max_length=16, choices=PERIODS, default=MONTHLY)
    started_at = models.DateTimeField(default=timezone.now)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]

    def __str__(self):
        return f"{self.user} ({self.period})"

    def cancel(self, save=True):
        self.cancelled_at = timezone.now()
        if save:
            self.save(update_fields=["cancelled_at"])
`,
  },
  {
    path: 'deploy.sh',
    text: `#!/usr/bin/env bash
set -euo pipefail

usage() {
  echo "usage: $0 <environment> [version]" >&2
  exit 64
}

[ $# -ge 1 ] || usage
environment=$1
version=\${2:-$(git describe --tags --abbrev=0)}
image="registry.example.com/app:$version"

if ! docker image inspect "$image" > /dev/null 2>&1; then
  echo "building $image"
  docker build --tag "$image" .
fi

docker push "$image"
kubectl --context "$environment" set image deployment/app app="$image"
kubectl --context "$environment" rollout status deployment/app --timeout=120s
`,
  },
  {
    path: 'types/events.d.ts',
    text: `declare namespace events {
  interface ListenerOptions {
    once?: boolean;
    passive?: boolean;
    signal?: AbortSignal;
  }

  type Listener<E> = (event: E) => void | Promise<void>;

  class Hub<Events extends Record<string, unknown>> {
    /**
     * Calls the listener for each event of that name.
     * @param name Name of the event.
     * @returns A function that removes the listener.
     */
    on<K extends keyof Events>(name: K, listener: Listener<Events[K]>, options?: ListenerOptions): () => void;
    off<K extends keyof Events>(name: K, listener: Listener<Events[K]>): this;
    emit<K extends keyof Events>(name: K, event: Events[K]): boolean;
    listenerCount(name?: keyof Events): number;
  }
}

export = events;
`,
  },
];
