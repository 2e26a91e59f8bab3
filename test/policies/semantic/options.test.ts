import { describe, expect, it } from "vitest";
import { type SemanticOptions, semantic } from "../../../src/policies/semantic/index.ts";
import { hashedEmbed } from "../../support/hashed-embedder.ts";

describe("the options", () => {
  it.each<[string, object]>([
    ["semantic.embed", { embed: undefined }],
    ["semantic.embedder", { embedder: "" }],
    ["semantic.mode", { mode: "on" }],
    ["semantic.minSimilarity", { minSimilarity: 1 }],
    ["semantic.levels", { levels: 21 }],
    ["semantic.maxErrorRate", { maxErrorRate: 0 }],
    ["semantic.confidence", { confidence: 1 }],
    ["semantic.minObservations", { minObservations: 0 }],
    ["semantic.exploreRate", { exploreRate: 0.01 }],
    ["semantic.embedTimeout", { embedTimeout: 0 }],
    ["semantic.judgeTimeout", { judgeTimeout: "never" }],
    ["semantic.ttl", { ttl: 0 }],
    ["semantic.maxTurns", { maxTurns: 0 }],
    ["semantic.maxChars", { maxChars: 50_000 }],
    ["semantic.maxEntries", { maxEntries: 0 }],
    ["semantic.maxBytes", { maxBytes: 0 }],
    ["semantic.judge", { judge: true }],
    ["semantic.guards", { guards: "all" }],
    ["semantic.guards[0]", { guards: [{}] }],
    ["semantic.index", { index: {} }],
    ["semantic.evidence.levels", { evidence: { embedder: "e", levels: 3 } }],
    ["semantic.threshold", { threshold: 0.8 }],
  ])("are checked: %s", (option, wrong) => {
    expect(() => semantic({ embed: hashedEmbed, embedder: "e", ...wrong } as SemanticOptions)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", option }),
    );
  });
});
