import numpy as np
import pytest

from pgcourse import OUNoise


def pushes(noise, steps):
    """The random part of each step: what is left after the pull to the mean."""
    out = np.empty((steps, noise.size))
    for t in range(steps):
        before = noise.state.copy()
        out[t] = noise.sample() - before - noise.theta * (noise.mu - before)
    return out


def test_increments_are_gaussian_with_zero_mean_and_deviation_sigma():
    eps = pushes(OUNoise(2, sigma=0.2, seed=0), 20_000) / 0.2
    n = eps.size
    assert abs(eps.mean()) < 5 / np.sqrt(n)
    assert abs(eps.std() - 1) < 5 / np.sqrt(2 * n)
    assert abs((eps**3).mean()) < 5 * np.sqrt(15 / n)  # symmetric
    assert abs((eps**4).mean() - 3) < 5 * np.sqrt(96 / n)  # a uniform draw has 1.8


def test_stationary_deviation_is_sigma_over_sqrt_of_theta_times_2_minus_theta():
    noise = OUNoise(1, theta=0.15, sigma=0.2, seed=1)
    values = np.array([noise.sample()[0] for _ in range(50_000)])
    assert values[100:].std() == pytest.approx(0.2 / np.sqrt(0.15 * 1.85), rel=0.05)
    assert abs(values.mean()) < 0.03


def test_without_pushes_the_noise_decays_to_mu_by_hand():
    noise = OUNoise(1, mu=1.0, theta=0.5, sigma=0.0)
    noise.state[:] = 9.0
    assert [noise.sample()[0] for _ in range(3)] == [5.0, 3.0, 2.0]


def test_theta_one_is_white_noise():
    noise = OUNoise(1, theta=1.0, sigma=0.1, seed=2)
    values = np.array([noise.sample()[0] for _ in range(20_000)])
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.04


def test_every_dimension_has_pushes_of_its_own():
    eps = pushes(OUNoise(2, seed=3), 20_000)
    assert abs(np.corrcoef(eps.T)[0, 1]) < 5 / np.sqrt(20_000)


def test_reset_returns_to_mu():
    noise = OUNoise(3, mu=0.5, seed=0)
    noise.sample()
    noise.reset()
    assert noise.state.tolist() == [0.5, 0.5, 0.5]


def test_samples_are_not_changed_by_later_ones():
    noise = OUNoise(1, seed=0)
    first = noise.sample()
    kept = first.copy()
    noise.sample()
    assert first == kept


def test_a_sample_that_is_changed_does_not_change_the_noise():
    one, other = OUNoise(2, theta=0.15, seed=0), OUNoise(2, theta=0.15, seed=0)
    for _ in range(3):
        one.sample()[:] = 100.0
        other.sample()
    assert one.state.tolist() == other.state.tolist()


def test_seeds():
    def draw(seed):
        return OUNoise(2, seed=seed).sample().tolist()

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"size": 0}, "size"),
        ({"size": 1.5}, "size"),
        ({"mu": np.nan}, "mu"),
        ({"theta": -0.1}, "theta"),
        ({"theta": 2.5}, "theta"),
        ({"sigma": -1.0}, "sigma"),
        ({"sigma": np.inf}, "sigma"),
        ({"sigma": "big"}, "sigma"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        OUNoise(**({"size": 1} | changes))
