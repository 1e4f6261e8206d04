"""Throughput, not latency: what a service does under load, measured so that the figures mean the same to everybody.

    requests = workload(poisson_arrivals(4.0, 500, rng), prompts, answers, rng)
    async with OpenAIEndpoint("http://127.0.0.1:8000", "course-dense") as endpoint:
        run = await open_loop(endpoint, requests)
    print(service_report(run, Objective(ttft=0.5, tpot=0.05)))

What is where, in the order of a measurement: `arrivals`, `lengths`, `request` and `traces` what is asked and when
(`trace_making` made the trace that ships); `endpoint` what answers, `openai_endpoint` over HTTP (with `connections`,
`sse` and `openai_answer`), `simulated` from known service times; `driving` the load generator, which writes a `record`
of each request; `metrics` the definitions, `estimates` their intervals, `steady` which part counts, `objective` what
was promised; `service` calculates the figures of one load and `report` shows them, `curve` has those of many up to the
knee, `vllm_layout` the JSON that other tools read, `cost` money and joules. `watching` reads a service's own meters
while it works; `rehearsal` serves a workload by a real scheduler with a model that is nothing but a price. Truth to
hold it against: `queueing` theory on the clock of `virtual`, and `loopback`, a real server of known speed.

Times are seconds since the start of a run, lengths are tokens, rates are per second. A request is *scheduled* when its
user wants it sent; latencies count from there.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Objective": "labkit.throughput.objective",
    "OpenAIEndpoint": "labkit.throughput.openai_endpoint",
    "Request": "labkit.throughput.request",
    "Service": "labkit.throughput.simulated",
    "SimulatedServer": "labkit.throughput.simulated",
    "closed_loop": "labkit.throughput.driving",
    "empirical_lengths": "labkit.throughput.lengths",
    "fixed_arrivals": "labkit.throughput.arrivals",
    "gamma_arrivals": "labkit.throughput.arrivals",
    "latency_throughput": "labkit.throughput.curve",
    "lognormal_lengths": "labkit.throughput.lengths",
    "loopback_server": "labkit.throughput.loopback",
    "open_loop": "labkit.throughput.driving",
    "poisson_arrivals": "labkit.throughput.arrivals",
    "read_trace": "labkit.throughput.traces",
    "rehearse": "labkit.throughput.rehearsal",
    "replay": "labkit.throughput.traces",
    "run_virtual": "labkit.throughput.virtual",
    "service_report": "labkit.throughput.service",
    "token_cost": "labkit.throughput.cost",
    "trace_of": "labkit.throughput.traces",
    "vllm_result": "labkit.throughput.vllm_layout",
    "workload": "labkit.throughput.request",
    "write_trace": "labkit.throughput.traces",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
