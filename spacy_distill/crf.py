"""A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001) in NumPy.

The score of a sequence of tags is the sum of its tokens' scores, a score for each pair of
neighbouring tags, and scores for the first and the last tag. Its probability is the exponential of
this sum, divided by the sum of the exponentials of all sequences. A document is any sequence of
tokens here, such as a line. All documents of a batch are processed in parallel, forwards and
backwards at once, in float64: reading a document backwards is the same as reading it forwards with
transposed pairs.
"""

from typing import NamedTuple, Optional, Tuple

import numpy

from .steps import Steps, plan_steps
from .threads import ONE_THREAD
from .types import Array, Direction

# The score of a tag that is ruled out for a token: next to any other score, its exponential is 0.
RULED_OUT = -1e6
# The largest log p - log q, in nats, whose exponential is taken, for teacher p and CRF q: its
# square is still finite. Larger values are reduced, by at most the same amount.
LARGEST_RATIO = 300.0


class Potentials(NamedTuple):
    """The scores that a CRF adds to those of tokens, in nats. Gradients have the same form."""

    start: Array  # (n_tags,): for a document's first tag
    pairs: Array  # (n_tags, n_tags): for a tag (row) before another (column)
    end: Array  # (n_tags,): for a document's last tag

    def zeros(self) -> "Potentials":
        return Potentials(*(numpy.zeros(part.shape, dtype="d") for part in self))

    def scaled(self, factor: float) -> "Potentials":
        """Return the potentials multiplied by a factor, in float64."""
        return Potentials(*(factor * numpy.asarray(part, dtype="d") for part in self))

    def plus(self, other: "Potentials") -> "Potentials":
        return Potentials(*(mine + theirs for mine, theirs in zip(self, other)))


class Gradients(NamedTuple):
    """The gradients of a function of the scores and, if there is a CRF, of its potentials."""

    scores: Array  # (n_tokens, n_tags)
    potentials: Optional[Potentials] = None

    def plus(self, other: "Gradients", *, weight: float) -> "Gradients":
        """Return the gradients of this function plus another one times a weight."""
        potentials = self.potentials
        if potentials is not None and other.potentials is not None:
            potentials = potentials.plus(other.potentials.scaled(weight))
        return Gradients(self.scores + weight * other.scores, potentials)


class Posterior(NamedTuple):
    """The distribution over all tag sequences of each document.

    Arrays of tokens are (n_tokens, n_tags), documents concatenated.
    """

    log_partition: Array  # (n_docs,): log of the sum over all sequences
    log_marginals: Array  # of each tag of each token, in nats
    marginals: Array
    expected: Potentials  # expected counts of pairs, first tags and last tags, over all documents
    chains: "Chains"


class Chains(NamedTuple):
    """Results of `infer` that `differentiate` needs.

    Axis 0 of size 2 is the direction: forwards, backwards.
    """

    steps: Steps
    docs: Array  # (n_tokens,): the document of each token
    first: Array  # (n_docs,): its first token
    last: Array  # (n_docs,): its last token
    pairs: Array  # (2, n_tags, n_tags): exp(potentials), and transposed
    weights: Array  # (2, n_tokens - n_docs, n_tags): exp of the previous states, scaled
    sums: Array  # (2, n_tokens - n_docs, n_tags): their sums over the previous tag
    before: Array  # (n_tokens - n_docs, n_tags): exp of the left neighbours' states, scaled
    after: Array  # (n_tokens - n_docs, n_tags): of the right ones', so that products are marginals


@ONE_THREAD
def infer(
    scores: Array, lengths: Array, potentials: Potentials, *, temperature: float = 1.0
) -> Posterior:
    """Compute the posterior distribution over tags by the forward-backward algorithm in log space.

    Rabiner (1989), section III. The sums over the previous tag are matrix products. Before states
    are exponentiated, the largest state of each token is subtracted, so scores of any size are
    safe; potentials may differ by up to 700 nats.

    scores (ndarray): Scores of each token's tags (n_tokens, n_tags), documents concatenated.
    lengths (ndarray): Number of tokens of each document, at least one.
    potentials (Potentials): The CRF's potentials.
    temperature (float): Softens the CRF as it does a softmax: all scores and potentials are divided
        by it.
    RETURNS (Posterior): The distribution.
    """
    scores = numpy.asarray(scores / temperature, dtype="d")
    steps = plan_steps(lengths)
    last = numpy.cumsum(lengths) - 1
    first = last - lengths + 1
    docs = numpy.repeat(numpy.arange(len(lengths)), lengths)
    start, transitions, end = potentials.scaled(1 / temperature)
    pairs = numpy.exp(numpy.stack([transitions, transitions.T]))
    states = scores[steps.tokens]  # (2, n_tokens, n_tags), time-major
    n_first = steps.starts[1]
    states[:, :n_first] += numpy.stack([start, end])[:, None]
    weights = numpy.empty_like(states[:, n_first:])
    sums = numpy.empty_like(weights)
    for before, begin, stop in steps.after_first():
        n = stop - begin
        previous = states[:, before : before + n]
        largest = previous.max(axis=2, keepdims=True)
        rows = slice(begin - n_first, stop - n_first)
        numpy.exp(previous - largest, out=weights[:, rows])
        numpy.matmul(weights[:, rows], pairs, out=sums[:, rows])
        states[:, begin:stop] += numpy.log(sums[:, rows]) + largest
    forwards, backwards = numpy.empty_like(states)
    forwards[steps.tokens[0]] = states[0]
    backwards[steps.tokens[1]] = states[1]
    log_partition = numpy.logaddexp.reduce(forwards[last] + end, axis=1)
    log_marginals = forwards + backwards - scores - log_partition[docs][:, None]
    marginals = numpy.exp(log_marginals)
    # Neighbours: exp(forwards[left] + transition + backwards[right] - log_partition)
    left = numpy.delete(numpy.arange(len(scores)), last)
    largest = forwards[left].max(axis=1, keepdims=True)
    before = numpy.exp(forwards[left] - largest)
    after = numpy.exp(backwards[left + 1] + largest - log_partition[docs[left]][:, None])
    expected = Potentials(
        marginals[first].sum(axis=0), (before.T @ after) * pairs[0], marginals[last].sum(axis=0)
    )
    chains = Chains(steps, docs, first, last, pairs, weights, sums, before, after)
    return Posterior(log_partition, log_marginals, marginals, expected, chains)


@ONE_THREAD
def differentiate(posterior: Posterior, tangent: Array) -> Tuple[Array, Potentials]:
    """Compute how marginals and expected counts change when the scores move along a tangent.

    Marginals are derivatives of the log partition function, so their Jacobian is its Hessian, which
    is symmetric. The change of the marginals along `tangent` is therefore also the gradient, with
    respect to scores and potentials, of the sum of marginals times `tangent`. (Pearlmutter 1994: a
    product with the Hessian is a directional derivative of the computation of the gradient.)

    posterior (Posterior): The result of `infer`.
    tangent (ndarray): (n_tokens, n_tags).
    RETURNS (Tuple[ndarray, Potentials]): Change of the marginals (n_tokens, n_tags), and of the
        expected counts.
    """
    _, _, marginals, _, chains = posterior
    steps, pairs = chains.steps, chains.pairs
    states = tangent[steps.tokens]  # (2, n_tokens, n_tags), time-major: change of the states
    n_first = steps.starts[1]
    for before, begin, stop in steps.after_first():
        n = stop - begin
        rows = slice(begin - n_first, stop - n_first)
        moved = chains.weights[:, rows] * states[:, before : before + n]
        states[:, begin:stop] += numpy.matmul(moved, pairs) / chains.sums[:, rows]
    forwards, backwards = numpy.empty_like(states)
    forwards[steps.tokens[0]] = states[0]
    backwards[steps.tokens[1]] = states[1]
    # The expected sum of `tangent` over a document's tags, (n_docs, 1).
    mean = numpy.add.reduceat((marginals * tangent).sum(axis=1), chains.first)[:, None]
    changes = marginals * (forwards + backwards - tangent - mean[chains.docs])
    left = numpy.delete(numpy.arange(len(tangent)), chains.last)
    right_change = backwards[left + 1] - mean[chains.docs[left]]
    of_pairs = (chains.before * forwards[left]).T @ chains.after
    of_pairs += chains.before.T @ (chains.after * right_change)
    counts = Potentials(
        changes[chains.first].sum(axis=0), of_pairs * pairs[0], changes[chains.last].sum(axis=0)
    )
    return changes, counts


def negative_log_likelihood(
    scores: Array, lengths: Array, potentials: Potentials, tags: Array
) -> Tuple[float, Gradients, Posterior]:
    """Compute the loss of the task in nats per tagged token, and its gradients.

    If some tags are missing, the likelihood is that of all sequences that agree with the given tags
    (Tsuboi et al. 2008).

    scores (ndarray): Scores of each token's tags (n_tokens, n_tags), documents concatenated.
    lengths (ndarray): Number of tokens of each document, at least one.
    potentials (Potentials): The CRF's potentials.
    tags (ndarray): The tag of each token (n_tokens,), -1 if it is missing. At least one is given.
    RETURNS (Tuple[float, Gradients, Posterior]): The loss, its exact gradients, and the result of
        `infer` for the scores.
    """
    n_tagged = int((tags >= 0).sum())
    agrees = (tags[:, None] < 0) | (tags[:, None] == numpy.arange(scores.shape[1]))
    free = infer(scores, lengths, potentials)
    bound = infer(numpy.where(agrees, scores, RULED_OUT), lengths, potentials)
    value = float((free.log_partition - bound.log_partition).sum()) / n_tagged
    counts = free.expected.plus(bound.expected.scaled(-1.0)).scaled(1 / n_tagged)
    return value, Gradients((free.marginals - bound.marginals) / n_tagged, counts), free


def marginal_kl(
    posterior: Posterior,
    teacher_log_probs: Array,
    *,
    taught: Array,
    temperature: float,
    direction: Direction,
) -> Tuple[float, Gradients]:
    """Compute T^2 times the mean divergence of softened marginals and a teacher's distributions.

    posterior (Posterior): The result of `infer` at the temperature T.
    teacher_log_probs (ndarray): The teacher's distributions, softened: (n_taught, n_tags).
    taught (ndarray): Indices of their tokens (n_taught,).
    temperature (float): T.
    direction (Direction): Which distribution the logarithms are weighted by.
    RETURNS (Tuple[float, Gradients]): T^2 * nats per taught token, and its gradients, exact unless
        a tag's marginal is below e^-600 of the teacher's probability.
    """
    shrunk = 0.0
    log_q, log_p = posterior.log_marginals[taught], teacher_log_probs.astype("d")
    if direction == "student_teacher":
        terms = posterior.marginals[taught] * (log_q - log_p)
        by_marginal = log_q - log_p  # the + 1 has no effect: marginals of a token sum to 1
    else:
        p = numpy.exp(log_p)
        terms = p * (log_p - log_q)
        # However large a ratio is, its product with the marginal is a probability again.
        shrunk = min(max(float((log_p - log_q).max()) - LARGEST_RATIO, 0.0), LARGEST_RATIO)
        by_marginal = -numpy.exp(numpy.minimum(log_p - log_q - shrunk, LARGEST_RATIO))
    along = numpy.zeros_like(posterior.marginals)
    along[taught] = by_marginal
    d_scores, d_potentials = differentiate(posterior, along)
    factor = numpy.exp(shrunk) * temperature / len(taught)
    value = temperature**2 * float(terms.sum()) / len(taught)
    return value, Gradients(factor * d_scores, d_potentials.scaled(factor))
