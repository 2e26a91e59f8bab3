/** OpenTelemetry's `gen_ai.provider.name`, by the host or by the domain above it. */
const NAMES: Readonly<Record<string, string>> = {
  "api.openai.com": "openai",
  "openai.azure.com": "azure.ai.openai",
  "cognitiveservices.azure.com": "azure.ai.openai",
  "services.ai.azure.com": "azure.ai.inference",
  "inference.ai.azure.com": "azure.ai.inference",
  "api.groq.com": "groq",
  "api.mistral.ai": "mistral_ai",
  "api.deepseek.com": "deepseek",
  "api.x.ai": "x_ai",
  "api.perplexity.ai": "perplexity",
  "api.cohere.ai": "cohere",
  "api.cohere.com": "cohere",
  "api.anthropic.com": "anthropic",
  "generativelanguage.googleapis.com": "gcp.gemini",
  "aiplatform.googleapis.com": "gcp.vertex_ai",
};

/** Bedrock and Vertex put the region into the host. */
const REGIONAL: readonly (readonly [RegExp, string])[] = [
  [/^bedrock-runtime\..+\.amazonaws\.com$/, "aws.bedrock"],
  [/-aiplatform\.googleapis\.com$/, "gcp.vertex_ai"],
];

/** Who answers at this host; the host itself, with its port, where it is not a known one. */
export function providerName(url: URL): string {
  for (let host = url.hostname; host.includes("."); host = host.slice(host.indexOf(".") + 1)) {
    if (Object.hasOwn(NAMES, host)) return NAMES[host] as string;
  }
  return REGIONAL.find(([pattern]) => pattern.test(url.hostname))?.[1] ?? url.host;
}
