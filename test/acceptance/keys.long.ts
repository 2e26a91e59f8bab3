import { expect, it } from "vitest";
import { fingerprintOf, seededRandom } from "../../src/core/index.ts";
import { changedInOneField, randomRequest } from "../support/requests.ts";

const PAIRS = 10_000_000;

it(`no two keys are the same of ${PAIRS} pairs of requests that differ in one field`, () => {
  const random = seededRandom(11);
  let [keys, checks] = [0, 0];
  for (let pair = 0; pair < PAIRS; pair++) {
    const request = randomRequest(random);
    const [one, other] = [fingerprintOf(request), fingerprintOf(changedInOneField(request, random))];
    if (one.key === other.key) keys++;
    if (one.check === other.check) checks++;
  }
  expect({ keys, checks }).toEqual({ keys: 0, checks: 0 });
});
