"""How often something really is, when a tagger that errs has counted it: corrected counts and shares with intervals.

A tagger that misses one problem in ten and takes every fiftieth passage for one counts too few where problems are common and
too many where they are rare. How it errs is measured on labelled passages of groups that it had not seen (:func:`measure`);
what it said of other passages is then corrected for it (:func:`estimate`). All classes are told apart at once, since what is
wrongly counted as one topic depends on how many there are of its neighbours.

Assumed is that the tagger errs in the passages of a class as often as it does in the labelled ones of that class, however
common the class is here (prior shift). Reports of a kind that the labelled ones do not know can break this, and nothing in
the numbers would show it. ``benchmarks/prevalence.py`` measures how well the intervals hold.

Reports are not corrected, on purpose: whether a report has *at least one* passage with a topic hangs on the errors in all of
its passages together, which pile up with their number, and the labelled groups are excerpts of five to twenty passages. To
simulate from calibrated probabilities was tried on the 226 labelled groups of which less than a fifth are problems: 20 % of
them have a problem of budget preparation, 29 % by the tagger's decisions, 28 % by simulation. Shares of reports stay as counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nlp.errors import InvalidInputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_Z = 1.959964  # 97.5 % point of the normal distribution: a 95 % interval
# With 10, 20, 40, 80 and 160 labelled groups a class, 95 % intervals held the truth in 86, 90, 92, 93 and 94 of 100 (the last three
# in ``benchmarks/prevalence.json``). An interval that is drawn from fewer than 40 says more than is known.
_LEAST_GROUPS = 40
# Ibidem, 24,000 shares in cells of 2 to 500 passages: up to a width of 0.4 the corrected share is nearer to the truth than the
# share among the labelled passages is, which looks at nothing (beyond, it is not, and from 0.6 on the intervals hold less than
# they say). 0.3 leaves room for cells that differ less from each other than those did.
WIDEST = 0.3
_HALVINGS = 40  # of [0, 1]: an end is exact to 1e-12


@dataclass(frozen=True, slots=True)
class Errors:
    """How a tagger errs: what turns its decisions into scores of mean 1 for passages of a class and 0 for all others.

    Shapes:
        With ``c`` classes: ``weights`` is ``(c, c)``, ``spread`` ``(c, c, c)``, ``doubt`` ``(c, c, c, c)``, the others ``(c,)``.

    Attributes:
        weights: ``said @ weights.T`` are the scores of passages; zero in the row of a class that nothing tells apart.
        spread: For each class, the covariance of the scores of its passages.
        doubt: Covariance of the mean scores over the labelled groups: ``[k, i, l, j]`` of score i in class k and j in class l.
        alike: Correlation of the errors of two passages of one report, per score.
        shares: Of the classes among the labelled passages.
        told: Whether the tagger can tell the class from the others at all.
    """

    weights: Floats
    spread: Floats
    doubt: Floats
    alike: Floats
    shares: Floats
    told: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Corrected counts and shares of classes in cells, with 95 % intervals.

    Counts are of these very passages: their interval is of the tagger's errors alone, and has no width where people have
    decided every passage. Shares are of what the passages are a sample of, as in :func:`nlp.frequency.wilson`: the interval
    is also of chance in who wrote what, and would be Wilson's if the tagger did not err. Each class is corrected and kept
    within its bounds by itself, so counts need not add up to the passages.

    Shapes:
        All are ``(n_cells, n_classes)``; the classes are those that were asked for, in their order.

    Attributes:
        observed: What was counted: decisions (or sums of probabilities) of the tagger, and what people decided.
        enough: Whether the share says something: its interval is at most 0.3 wide.
    """

    observed: Floats
    count: Floats
    count_low: Floats
    count_high: Floats
    share: Floats
    low: Floats
    high: Floats
    enough: NDArray[np.bool_]


# ------------------------------------------------------------------------------------------------------------------ measure


def measure(said: Floats, truth: Ints, groups: Ints) -> Errors:
    """Return how a tagger errs, from what it said of labelled passages when it had not seen their groups.

    Args:
        said: Decisions as rows with one 1 (``np.eye(c)[decisions]``), or calibrated probabilities.
        truth: The class of each passage, from 0.
        groups: The group of each passage, any number; groups, not passages, are taken to be independent.

    Shapes:
        ``said`` is ``(n, c)``, the others ``(n,)``.

    Raises:
        InvalidInputError: If the lengths differ, or a class lies in fewer than 40 groups.

    Source:
        Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002, section 2.3 (the matrix);
        Forman, Quantifying Counts and Costs via Classification, 2008 (adjusted count); Bella et al., Quantification via
        Probability Estimators, 2010 (the same of probabilities). The doubt is what a bootstrap over groups tends to.

    >>> truth = np.repeat([0, 1], 40)
    >>> decisions = truth.copy()
    >>> decisions[[0, 10, 20, 30]] = 1  # one problem in ten is missed
    >>> errors = measure(np.eye(2)[decisions], truth, np.arange(80) % 40)
    >>> errors.weights.round(3)
    array([[ 1.111,  0.   ],
           [-0.111,  1.   ]])
    """
    said = np.asarray(said, dtype=np.float64)
    truth, places = np.asarray(truth), np.unique(groups, return_inverse=True)[1]
    _check_labels(said, truth, places)
    classes, n_groups = said.shape[1], int(places.max()) + 1
    member = np.eye(classes)[truth]
    weights, told = _weights((said.T @ member) / member.sum(axis=0))
    errors = said @ weights.T - member * told
    spread = np.stack([_products(errors[truth == k]) / (truth == k).sum() for k in range(classes)])
    sums = np.zeros((n_groups, classes, classes))
    np.add.at(sums, (places, truth), errors)
    sums /= member.sum(axis=0)[:, None]
    flat = sums.reshape(n_groups, classes * classes)
    doubt = (flat.T @ flat * n_groups / (n_groups - 1)).reshape(classes, classes, classes, classes)
    return Errors(weights, spread, doubt, _alike(errors, places), member.mean(axis=0), told)


def _check_labels(said: Floats, truth: Ints, groups: Ints) -> None:
    if said.ndim != 2 or not len(said) == len(truth) == len(groups):  # noqa: PLR2004  rows and columns
        raise InvalidInputError(
            f"每个段落应有一行标注结果、一个类别和一个组，得到的是 {said.shape}、{truth.shape}、{groups.shape}"
        )
    if len(truth) and not 0 <= truth.min() <= truth.max() < said.shape[1]:
        raise InvalidInputError(f"类别应在 0 到 {said.shape[1] - 1} 之间，得到的是 {truth.min()} 到 {truth.max()}")
    found = [len(np.unique(groups[truth == k])) for k in range(said.shape[1])]
    if min(found) < _LEAST_GROUPS:
        raise InvalidInputError(
            f"每一类至少要出现在 {_LEAST_GROUPS} 个来源组里，才量得出标注误差；第 {int(np.argmin(found))} 类只有 {min(found)} 个，请补充标注"
        )


def _weights(matrix: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what undoes the matrix of what is said (rows) of which class (columns), and which classes it can undo."""
    weights = np.linalg.pinv(matrix, rcond=1e-9)
    told = np.abs(weights @ matrix - np.eye(len(matrix))).max(axis=1) < 1e-6  # noqa: PLR2004  rounding, no choice
    return weights * told[:, None], told


def _products(rows: Floats) -> Floats:
    return np.asarray(rows.T @ rows)


def _alike(errors: Floats, groups: Ints) -> Floats:
    """Return the correlation of the errors of two passages of a group, per score; never below 0."""
    sums, sizes = np.zeros((int(groups.max()) + 1, errors.shape[1])), np.bincount(groups)
    np.add.at(sums, groups, errors)
    squares = (errors**2).sum(axis=0)
    pairs = max(float((sizes * (sizes - 1)).sum()), 1.0)
    return np.asarray(
        np.clip(((sums**2).sum(axis=0) - squares) / pairs / np.maximum(squares / len(errors), 1e-12), 0.0, 1.0)
    )


# ----------------------------------------------------------------------------------------------------------------- estimate


def estimate(
    errors: Errors,
    said: Floats,
    cells: Ints,
    reports: Ints,
    n_cells: int,
    of: Sequence[int] | None = None,
    decided: Ints | None = None,
) -> Prevalence:
    """Return corrected counts and shares of classes for the cells of a table.

    Args:
        errors: How the tagger errs.
        said: What it said of the passages, in the form that its errors were measured in.
        cells: The cell of each passage, from 0.
        reports: The report of each passage, any number: errors in one report are alike.
        n_cells: Number of cells; one without a passage is in the answer and says nothing.
        of: The classes that shares are of, for instance those of all problems; ``None`` for all passages.
        decided: The class that a person gave the passage, -1 where nobody has; such a passage counts as certain.

    Shapes:
        ``said`` is ``(n, c)``; ``cells``, ``reports`` and ``decided`` are ``(n,)``.

    Raises:
        InvalidInputError: If the lengths differ, or a cell or class is not there.

    Source:
        An end of an interval is the share at which what was seen lies 1.96 standard errors off, with the error that there
        would be *at that share*: Wilson 1927, for a tagger that errs Lang and Reiczigel, Confidence Limits for Prevalence of
        Disease Adjusted for Estimated Sensitivity and Specificity, 2014. Percentiles of a bootstrap over labelled groups and
        passages have no width where nothing was found; beyond that they agree (``tests/test_prevalence.py``).

    >>> labelled = np.repeat([0, 1], 400)
    >>> decisions = np.where(np.arange(800) % 10 == 0, 1, labelled)  # one problem in ten is missed, nothing is invented
    >>> errors = measure(np.eye(2)[decisions], labelled, np.arange(800) % 40)
    >>> said = np.eye(2)[np.repeat([0, 1], [90, 110])]  # 90 of 200 passages
    >>> found = estimate(errors, said, np.zeros(200, int), np.arange(200), n_cells=1)
    >>> found.observed[0, 0], found.count[0, 0].round(1)
    (np.float64(90.0), np.float64(100.0))
    """
    said = np.asarray(said, dtype=np.float64)
    decided = np.full(len(said), -1) if decided is None else np.asarray(decided)
    classes = np.arange(len(errors.weights))
    asked = classes if of is None else np.asarray(of, dtype=np.int64)
    _check_cells(errors, said, cells, reports, n_cells, asked, decided)
    unread = decided < 0
    n_open = np.bincount(cells[unread], minlength=n_cells).astype(np.float64)[:, None]
    known, scores, observed = (np.zeros((n_cells, len(errors.told))) for _ in range(3))
    np.add.at(known, (cells[~unread], decided[~unread]), 1.0)
    np.add.at(observed, cells[unread], said[unread])
    np.add.at(scores, cells[unread], said[unread] @ errors.weights.T)
    total = n_open + known.sum(axis=1, keepdims=True)
    crowd = 1 + errors.alike[asked] * (_company(cells[unread], reports[unread], n_cells)[:, None] - 1)
    mix = _mix(errors, scores, n_open)

    part = np.clip(scores[:, asked] / np.maximum(n_open, 1), 0.0, 1.0)
    inside = _Variance.of(errors, mix, asked, None, crowd, n_open, n_open, np.ones_like(n_open))
    least, most = inside.interval(part)

    sums = known + scores
    base = total if of is None else np.clip(sums[:, asked].sum(axis=1, keepdims=True), 0.0, total)
    share = np.clip(sums[:, asked] / np.where(base > 0, base, np.inf), 0.0, 1.0)
    weight = base / np.maximum(total, 1)
    around = _Variance.of(errors, mix, asked, None if of is None else asked, crowd, n_open, total, weight)
    low, high = around.with_chance(total).interval(share)
    count, count_low, count_high = (known[:, asked] + n_open * each for each in (part, least, most))
    seen = (known + observed)[:, asked]
    return Prevalence(seen, count, count_low, count_high, share, low, high, high - low <= WIDEST)


def _check_cells(
    errors: Errors, said: Floats, cells: Ints, reports: Ints, n_cells: int, asked: Ints, decided: Ints
) -> None:
    classes = len(errors.told)
    if said.shape != (len(cells), classes) or not len(cells) == len(reports) == len(decided):
        raise InvalidInputError(
            f"每个段落应有一行 {classes} 列的标注结果、一个单元格和一份报告，"
            f"得到的是 {said.shape}、{len(cells)} 个、{len(reports)} 个、人工判定 {len(decided)} 个"
        )
    if len(cells) and not 0 <= cells.min() <= cells.max() < n_cells:
        raise InvalidInputError(f"单元格应在 0 到 {n_cells - 1} 之间，得到的是 {cells.min()} 到 {cells.max()}")
    given = [int(number) for number in (*asked, *decided) if not -1 <= number < classes]
    if given or not len(asked) or asked.min() < 0 or len(set(asked.tolist())) != len(asked):
        raise InvalidInputError(f"类别应在 0 到 {classes - 1} 之间且不重复，得到的是 {given or asked.tolist()}")


def _company(cells: Ints, reports: Ints, n_cells: int) -> Floats:
    """Return in how large a report the average passage of each cell stands, counting the passages in the cell; at least 1."""
    if not len(cells):
        return np.ones(n_cells)
    (where, _), sizes = np.unique(np.stack([cells, reports]), axis=1, return_counts=True)
    squares = np.bincount(where, weights=sizes.astype(np.float64) ** 2, minlength=n_cells)
    return np.maximum(squares / np.maximum(np.bincount(cells, minlength=n_cells), 1), 1.0)


def _mix(errors: Errors, scores: Floats, n: Floats) -> Floats:
    """Return roughly which classes the passages of each cell have; one labelled passage is added, so that none has none."""
    found = np.where(errors.told, np.clip(scores, 0.0, None), n * errors.shares) + errors.shares
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Variance:
    """The variance of what is seen, for any share ``r`` that there might really be: a polynomial in r.

    The passages are in three parts: those of the class, those of the other classes that the share is of, the rest. What is
    seen is the mean of (score of the class - r × score of all classes that the share is of), which would be 0 at the true r.

    Shapes:
        ``factors`` is ``(n_cells, n_asked, 5)``, of 1, r, … r⁴; ``weight`` is ``(n_cells, 1)``, ``told`` ``(n_cells, n_asked)``.

    Attributes:
        weight: How many of all passages the share is of.
        told: Whether anything can be said.
    """

    factors: Floats
    weight: Floats
    told: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        errors: Errors,
        mix: Floats,
        asked: Ints,
        base: Ints | None,
        crowd: Floats,
        n_open: Floats,
        n: Floats,
        weight: Floats,
    ) -> _Variance:
        """Return the variance by the tagger's errors, for shares of some classes or (``None``) of all passages."""
        classes = len(errors.told)
        inside = np.ones(classes, dtype=bool) if base is None else np.isin(np.arange(classes), base)
        mine = np.eye(classes)[asked]
        parts = np.stack([mine, inside - mine, np.tile(~inside, (len(asked), 1))], axis=1)[None] * mix[:, None, None]
        parts /= np.maximum(parts.sum(axis=-1, keepdims=True), 1e-300)
        # How large the parts are, as factors of 1 and r.
        nil = np.zeros_like(weight)
        sizes = np.stack(
            [np.stack(pair, axis=-1) for pair in ((nil, weight), (weight, -weight), (1 - weight, nil))], axis=-2
        )
        shares = np.einsum("ntak,ntad->ntkd", parts, np.broadcast_to(sizes, (*parts.shape[:3], 2)))
        # Each score beside that of all classes that the share is of: the two whose difference is looked at. The number of all
        # passages is no matter of doubt.
        whole = np.zeros(classes) if base is None else inside.astype(np.float64)
        pair = np.stack([mine, np.tile(whole, (len(asked), 1))], axis=1)
        spread = _powers(np.einsum("tui,kij,tvj->tkuv", pair, errors.spread, pair, optimize=True))
        doubt = _powers(np.einsum("tui,kilj,tvj->tkluv", pair, errors.doubt, pair, optimize=True))
        here = n_open / np.maximum(n, 1)
        noise = np.einsum("ntkd,tkp->ntdp", shares, spread) * (here * crowd / np.maximum(n, 1))[..., None, None]
        unsure = (
            np.einsum("ntkd,tklp,ntle->ntdep", shares, doubt, shares, optimize=True) * (here**2)[..., None, None, None]
        )
        factors = np.zeros((*crowd.shape, 5))
        for degree, power in np.ndindex(2, 3):
            factors[..., degree + power] += noise[..., degree, power]
            for other in range(2):
                factors[..., degree + other + power] += unsure[..., degree, other, power]
        told = errors.told[asked] if base is None else np.full(len(asked), errors.told[base].all())
        return cls(factors, weight, (n > 0) & (weight > 0) & (told | (n_open == 0)))

    def with_chance(self, n: Floats) -> _Variance:
        """Return the variance that is also by chance in who wrote what: that of a share among passages drawn one by one."""
        factors = self.factors.copy()
        factors[..., 1] += self.weight / np.maximum(n, 1)
        factors[..., 2] -= self.weight / np.maximum(n, 1)
        return replace(self, factors=factors)

    def interval(self, centre: Floats) -> tuple[Floats, Floats]:
        """Return the lowest and highest share at which what was seen lies within 1.96 standard errors; 0 and 1 at most.

        A centre that had to be moved to 0 or 1 is taken as if it had been seen there: else the interval would be the smaller,
        the less the assumptions hold.
        """
        low, high = (self._end(centre, border) for border in (0.0, 1.0))
        return np.where(self.told, low, 0.0), np.where(self.told, high, 1.0)

    def _end(self, centre: Floats, border: float) -> Floats:
        inner, outer = centre, np.full_like(centre, border)
        inner = np.where(self._fits(centre, outer), outer, inner)
        for _ in range(_HALVINGS):
            middle = (inner + outer) / 2
            fits = self._fits(centre, middle)
            inner, outer = np.where(fits, middle, inner), np.where(fits, outer, middle)
        return inner

    def _fits(self, centre: Floats, r: Floats) -> NDArray[np.bool_]:
        """Return whether a share agrees with what was seen."""
        variance = np.zeros_like(r)
        for degree in reversed(range(self.factors.shape[-1])):
            variance = variance * r + self.factors[..., degree]
        return np.asarray((self.weight * (centre - r)) ** 2 <= _Z**2 * np.maximum(variance, 0.0))


def _powers(covariance: Floats) -> Floats:
    """Return the variance of (first - r × second) as factors of 1, r and r², from the covariance of the two."""
    both = covariance[..., 0, 1] + covariance[..., 1, 0]
    return np.stack([covariance[..., 0, 0], -both, covariance[..., 1, 1]], axis=-1)
