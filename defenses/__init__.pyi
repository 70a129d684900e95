from .adversarial_training import AdversarialTraining as AdversarialTraining

__all__ = ["AdversarialTraining"]
